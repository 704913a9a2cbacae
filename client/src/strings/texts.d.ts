/** The emoji of each tab of the grid. */
declare module 'virtual:emoji/all' {
  const tabs: string[];
  export default tabs;
}
/** The words of each emoji, one a line. */
declare module 'virtual:emoji/words-*' {
  const words: string;
  export default words;
}
declare module 'virtual:texts/first' {
  /** By key, then by language. */
  const texts: Record<string, Record<string, string>>;
  export default texts;
}
declare module 'virtual:texts/keys' {
  /** Of all texts, with spaces between them. */
  const keys: string;
  export default keys;
}
declare module 'virtual:texts/*' {
  const texts: Record<string, string>;
  export default texts;
}
