/** An address of the site that is about a person, from a template of it; undefined for one that is not to be trusted. */
export function siteAddress(template: string, id: string): string | undefined {
  const url = URL.parse(template.replaceAll('{id}', encodeURIComponent(id)), document.baseURI);
  // A page of the site, or one that nobody on the way can change; never a script.
  return url !== null && (url.protocol === 'https:' || url.origin === location.origin) ? url.href : undefined;
}
