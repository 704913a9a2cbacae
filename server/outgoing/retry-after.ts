/** Parses `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3). Returns milliseconds, 0 for anything else. */
export function retryAfter(value = ''): number {
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(wait) ? 0 : Math.max(0, wait);
}
