/** The emoji of each tab of the grid. */
declare module 'virtual:emoji/all' {
  const tabs: string[];
  export default tabs;
}
/** Functions that load the words, by primary language subtag. */
declare module 'virtual:emoji/words' {
  const words: Record<string, () => Promise<{ default: string }>>;
  export default words;
}
/** The search words, one line for each emoji. */
declare module 'virtual:emoji/words-*' {
  const words: string;
  export default words;
}
declare module 'virtual:texts/first' {
  /** By language, then by key. */
  const texts: Record<string, Record<string, string>>;
  export default texts;
}
declare module 'virtual:texts/first-en' {
  const texts: Record<string, string>;
  export default texts;
}
declare module 'virtual:texts/keys' {
  const keys: string[];
  export default keys;
}
