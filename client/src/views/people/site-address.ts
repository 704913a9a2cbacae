/** An address of the site that is about a person, from a template of it; undefined for one that is not to be trusted. */
export function siteAddress(template: string, id: string): string | undefined {
  // In a path these are no names, encoded or not.
  if (/^\.\.?$/.test(id)) return undefined;
  const url = URL.parse(template.replaceAll('{id}', encodeURIComponent(id.toWellFormed())), document.baseURI);
  // On the host of the page, whose site and chat may have two ports, or by TLS. Never a script.
  const own =
    [url?.protocol, location.protocol].every((one) => one === 'http:') && url?.hostname === location.hostname;
  return own || url?.protocol === 'https:' ? url.href : undefined;
}
