const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const minute = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' });
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

/** What stands where nothing is known. */
export const UNKNOWN = '–';

export const count = (value: number): string => whole.format(value);

export function plural(value: number, one: string, many: string): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let left = value;
  while (left >= 1024 && unit < units.length - 1) {
    left /= 1024;
    unit++;
  }
  return `${short.format(left)} ${units[unit]}`;
}

export function microseconds(value: number): string {
  if (value < 1000) return `${tenths.format(value)} µs`;
  return value < 1e6 ? `${tenths.format(value / 1000)} ms` : `${tenths.format(value / 1e6)} s`;
}

export const percent = (share: number): string => `${tenths.format(share * 100)} %`;

export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) {
    return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  }
  return plural(Math.floor(seconds / 86_400), 'day', 'days');
}

/** Unix milliseconds, in this reader's time zone. */
export const hourAndMinute = (at: number): string => minute.format(at);
export const timeOfDay = (at: number): string => clock.format(at);
export const dateAndTime = (at: number): string => day.format(at);
