/**
 * Why a text cannot be a client's name or attribute, null when it can: no spaces, line ends or other special
 * characters, so that CLIENT LIST stays readable. `what` is the subject of the error, in the plural.
 */
export function nameProblem(text: string, what: string): string | null {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 33 || code > 126) {
      return `ERR ${what} cannot contain spaces, newlines or special characters.`;
    }
  }
  return null;
}
