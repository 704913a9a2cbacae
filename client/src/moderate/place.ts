export const sections = ['queue', 'people', 'rooms', 'log', 'overview'] as const;
export type Section = (typeof sections)[number];

/** A place in the page, as written in the fragment of its address. */
export interface PagePlace {
  readonly section: Section;
  /** The key of the case, or the ID of the user. */
  readonly id?: string;
}

export function placeIn(hash: string): PagePlace {
  const [name = '', ...rest] = hash.slice(1).split('/');
  const section = sections.find((one) => one === name);
  if (section === undefined) return { section: 'queue' };
  const id = decoded(rest.join('/'));
  return id === '' ? { section } : { section, id };
}

export const hashOf = ({ section, id }: PagePlace): string =>
  `#${section}${id === undefined ? '' : `/${encodeURIComponent(id)}`}`;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
