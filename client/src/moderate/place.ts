export const sections = ['queue', 'people', 'rooms', 'log', 'overview'] as const;
export type Section = (typeof sections)[number];

/** A place of the page, as its address has it behind `#`. */
export interface PagePlace {
  readonly section: Section;
  /** The case, or the person. */
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
