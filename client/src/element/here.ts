import { hue, initials } from '../../../server/wire/avatar.ts';
import style from '../styles/here.css?inline';

/** The delay before the next request if this one fails. The server forgets a reader after 45 s. */
const REPEAT_MS = 30_000;
const TIMEOUT_MS = 10_000;
/** Maximum number of avatars next to the button. */
const MOST = 3;

interface Reader {
  readonly id: string;
  readonly name: string;
}

interface Answer {
  readonly here?: readonly Reader[];
  /** When to ask again. The server shows this user to others first. */
  readonly nextMs?: number;
  /** The site's template for avatars. */
  readonly avatar?: string;
}

/** What the launcher provides. This file imports nothing of the page's script, which would load again. */
interface Launcher {
  readonly element: HTMLElement;
  readonly root: ShadowRoot;
  /** URL of the chat server. */
  readonly server: string;
  /** Returns the user who agreed to be shown in this browser, as JSON. */
  consent(): string | undefined;
  openDirect(user: string): void;
  /** Returns the label of a user's avatar. */
  label(name: string): string;
}

const sheet = new CSSStyleSheet();
sheet.replaceSync(style);

/**
 * Shows the avatars of users who read the same page, if this user agreed to be shown as well. A click starts a
 * conversation.
 *
 * @returns a function that stops this
 */
export function showReaders(launcher: Launcher): () => void {
  const { element, root, server, openDirect, label } = launcher;
  const place = document.createElement('div');
  place.className = 'here';
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
  root.append(place);
  const stop = new AbortController();
  const { signal } = stop;
  const draw = ({ here = [], avatar }: Answer) =>
    place.replaceChildren(...here.slice(0, MOST).map((reader) => button(reader, avatar)));
  const button = ({ id, name }: Reader, avatar: string | undefined) => {
    const button = document.createElement('button');
    button.title = button.ariaLabel = label(name);
    button.className = hue(id);
    const letters = document.createElement('span');
    letters.ariaHidden = 'true';
    letters.textContent = initials(name);
    button.append(letters);
    button.addEventListener('click', () => openDirect(id));
    const picture = pictureOf(element.getAttribute('avatar-url') ?? avatar, id);
    if (picture !== undefined) button.append(picture);
    return button;
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = async () => {
    clearTimeout(timer);
    const user = document.hidden ? undefined : userOf(launcher.consent());
    // After a failed request, the last readers stay.
    const answer = user === undefined ? {} : await ask(element, server, user).catch(() => undefined);
    if (signal.aborted) return;
    if (answer !== undefined) draw(answer);
    clearTimeout(timer);
    timer = setTimeout(() => void look(), answer?.nextMs ?? REPEAT_MS);
  };
  document.addEventListener('visibilitychange', () => void look(), { signal });
  // The user may have turned it on or off in the chat.
  root.querySelector('dialog')?.addEventListener('close', () => void look(), { signal });
  void look();
  return () => {
    stop.abort();
    clearTimeout(timer);
    place.remove();
  };
}

/** Another script of the site may have written the value. */
function userOf(consent = 'null'): string | undefined {
  try {
    const user: unknown = JSON.parse(consent);
    return typeof user === 'string' ? user : undefined;
  } catch {
    return undefined;
  }
}

async function ask(element: HTMLElement, server: string, user: string): Promise<Answer> {
  const page = element.getAttribute('here') || location.pathname;
  const ticketUrl = element.getAttribute('ticket-url') ?? undefined;
  const login = ticketUrl === undefined ? undefined : await import('./login-header.ts');
  const answer = await fetch(new URL(`here?${new URLSearchParams({ user, page })}`, server), {
    credentials: 'include',
    headers: (await login?.loginHeader(ticketUrl, undefined)) ?? {},
    cache: 'no-store',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return (await answer.json()) as Answer;
}

/** The initial stays if the picture does not load. */
function pictureOf(template: string | undefined, id: string): HTMLImageElement | undefined {
  // In a path these are relative segments, even if encoded.
  if (template === undefined || /^\.\.?$/.test(id)) return undefined;
  const picture = document.createElement('img');
  picture.alt = '';
  picture.addEventListener('error', () => picture.remove());
  picture.src = template.replaceAll('{id}', encodeURIComponent(id.toWellFormed()));
  return picture;
}
