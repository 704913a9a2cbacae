/** An address of the site that is about a person, from a template of it; undefined for one that is not to be trusted. */
export function siteAddress(template: string, id: string): string | undefined {
  // In a path these are no names, encoded or not.
  if (/^\.\.?$/.test(id)) return undefined;
  const url = URL.parse(template.replaceAll('{id}', encodeURIComponent(id.toWellFormed())), document.baseURI);
  // A page of the site, or one that nobody on the way can change. Never a script: where a page has no origin, such as
  // in a frame with `srcdoc`, a script's is the same.
  const own = url?.protocol === 'http:' && url.origin === location.origin;
  return own || url?.protocol === 'https:' ? url.href : undefined;
}
