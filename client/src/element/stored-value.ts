/**
 * Returns the text of a setting that the chat stored for all users of this browser. Undefined if it is missing or the
 * browser forbids storage. The page's script has its own function, because `PageStorage` is part of the chat's code.
 */
export function storedValue(server: string, key: string): string | undefined {
  try {
    return localStorage[`php-chat/${encodeURIComponent(server)}/${key}`];
  } catch {
    return undefined;
  }
}
