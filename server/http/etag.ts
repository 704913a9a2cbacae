/** Whether a client has what is of this tag. By the weak comparison: a proxy that has changed the encoding makes it weak. */
export function isKnown(etag: string, header: string | undefined): boolean {
  const tags = header?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags !== undefined && (tags.includes(etag) || tags.includes('*'));
}
