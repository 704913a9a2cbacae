interface Opener {
  openDirect(user: string): void;
}

/** The chats of the page. A launcher has priority over a chat that the page itself contains. */
const openers: Opener[] = [];

/** A click on an element with `data-chat-with="42"` opens the direct room with that user. */
function pressed(event: MouseEvent): void {
  if (event.defaultPrevented) return;
  const [user] = event
    .composedPath()
    .flatMap((at) => (at instanceof Element ? at.getAttribute('data-chat-with') : null) ?? []);
  if (!user) return;
  event.preventDefault();
  openers[0]?.openDirect(user);
}

/**
 * Makes a chat open direct rooms from links of the page.
 *
 * @returns a function that removes the chat
 */
export function openChatWith(opener: Opener, first: boolean): () => void {
  if (first) openers.unshift(opener);
  else openers.push(opener);
  if (openers.length === 1) addEventListener('click', pressed);
  return () => {
    openers.splice(openers.indexOf(opener), 1);
    if (openers.length === 0) removeEventListener('click', pressed);
  };
}
