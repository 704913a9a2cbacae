/**
 * Whether the form of an entry of `CHAT_ORIGINS` is valid: an `http` or `https` origin, whose first label may be `*`, or
 * the origin of an app such as `capacitor://localhost`, which URL's `origin` does not show.
 */
export function isOrigin(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, host, origin } = new URL(value);
  if (!/^https?:$/.test(protocol))
    return host !== '' && value === `${protocol}//${host}` && !host.includes('*');
  // A wildcard for all of `.com` would admit any site.
  return origin === value && (!host.includes('*') || /^\*\.([^*.]+\.[^*]+|localhost(:\d+)?)$/.test(host));
}

/** Whether an entry names this origin. `https://*.example.org` names every host with one more label, and no other. */
export function isListed(listed: ReadonlySet<string>, origin: string): boolean {
  return listed.has(origin) || listed.has(origin.replace(/^(https?:\/\/)[\w-]+\./, '$1*.'));
}
