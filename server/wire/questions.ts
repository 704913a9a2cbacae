/** Maximum characters of a note. */
export const longestNote = 4000;
/** Maximum characters of a snippet, and of its name. */
export const longestSnippet = 4000;
export const longestSnippetName = 40;
