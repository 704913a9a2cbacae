const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Undoes PHP's `htmlspecialchars()` once, for applications that store names as HTML. Keeps entities of other names. */
export function withoutEntities(text: string): string {
  return text.replace(
    /&(?:(amp|lt|gt|quot|apos)|#(?:0*(\d{1,7})|[xX]0*([0-9a-fA-F]{1,6})));/g,
    (all, name, decimal, hex) => {
      if (name !== undefined) return entities[name] as string;
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
        ? String.fromCodePoint(code)
        : all;
    },
  );
}
