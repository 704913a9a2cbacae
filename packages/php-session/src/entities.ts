const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * A name as people see it, from one that an application has stored for HTML: PHP's `htmlspecialchars()`, undone once.
 * Entities with other names stay as they are.
 */
export function withoutEntities(text: string): string {
  return text.replace(
    /&(?:(amp|lt|gt|quot|apos)|#(?:0*(\d{1,7})|[xX]0*([0-9a-fA-F]{1,6})));/g,
    (all, name, decimal, hex) => {
      if (name !== undefined) return named[name] as string;
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
        ? String.fromCodePoint(code)
        : all;
    },
  );
}
