declare module 'virtual:texts/first' {
  /** By key, then by language. */
  const texts: Record<string, Record<string, string>>;
  export default texts;
}
declare module 'virtual:texts/*' {
  const texts: Record<string, string>;
  export default texts;
}
