/**
 * Whether an entry of `CHAT_ORIGINS` is valid: an `http` or `https` origin with an optional `*` as first label, or the
 * origin of an app such as `capacitor://localhost`. For the latter, `URL` returns the origin `null`.
 */
export function isOrigin(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, host, origin } = new URL(value);
  if (!/^https?:$/.test(protocol))
    return host !== '' && value === `${protocol}//${host}` && !host.includes('*');
  // A wildcard for all of `.com` would admit any site.
  return origin === value && (!host.includes('*') || /^\*\.([^*.]+\.[^*]+|localhost(:\d+)?)$/.test(host));
}

/** Whether the list contains this origin. `https://*.example.org` stands for all hosts with exactly one more label. */
export function isListed(listed: ReadonlySet<string>, origin: string): boolean {
  return listed.has(origin) || listed.has(origin.replace(/^(https?:\/\/)[\w-]+\./, '$1*.'));
}
