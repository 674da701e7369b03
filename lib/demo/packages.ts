/** What the applications of the demo are made of, beside Tandis itself: they are not installed with it. */
const PACKAGES = ['express', 'express-session', 'connect-redis', 'redis'] as const;

/** The one line that installs what is missing; null when all of it is there. */
export function missingPackages(): string | null {
  const isMissing = PACKAGES.some((name) => {
    try {
      import.meta.resolve(name);
      return false;
    } catch {
      return true;
    }
  });
  return isMissing ? `npm install ${PACKAGES.join(' ')}` : null;
}
