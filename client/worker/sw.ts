/**
 * The service worker, `sw.js` beside the script of the client. It shows pushes while no page of the site is open, and a
 * press opens the room at the message. It controls no page and caches nothing: its scope is the chat server's own.
 */

const worker = self as unknown as ServiceWorkerGlobalScope;

/** A push: a declarative one (https://w3c.github.io/push-api/#declarative-push-message), which some browsers show by themselves. */
interface Push {
  notification: {
    title: string;
    body?: string;
    lang?: string;
    tag?: string;
    silent?: boolean;
    /** The page that a press opens, with the message behind `#`. */
    navigate: string;
    /** The number on the icon of an installed site, in digits. */
    app_badge?: string;
    data?: Place;
  };
}

interface Place {
  room: string;
  seq: number;
  /** All rooms with something unread, if they are few. */
  unread?: string[];
  /** When that was so, in milliseconds since 1970: pushes do not come in order, and some come late. */
  at?: number;
}

/** Milliseconds that a page has to say that it has opened the room. */
const answerTime = 300;
/** Pages that are asked. */
const mostAsked = 10;

worker.addEventListener('install', (event) => event.waitUntil(worker.skipWaiting()));

worker.addEventListener('push', (event) => {
  let push: Push | undefined;
  try {
    push = event.data?.json();
  } catch {
    // Not from this chat.
  }
  if (typeof push?.notification?.title === 'string') event.waitUntil(show(push.notification));
});

async function show({ title, body, lang, tag, silent, navigate, app_badge, data }: Push['notification']) {
  // Whatever fails there, this one is shown.
  if (Array.isArray(data?.unread)) await closeRead(data.unread, data.at ?? 0).catch(() => {});
  await worker.registration.showNotification(title, {
    ...(body === undefined ? {} : { body }),
    ...(lang === undefined ? {} : { lang }),
    ...(tag === undefined ? {} : { tag, renotify: silent !== true }),
    silent: silent === true,
    data: { ...data, navigate },
  } as NotificationOptions);
  const count = Number(app_badge);
  // Only an installed site has a place for it.
  if (Number.isSafeInteger(count) && count > 0) await navigator.setAppBadge?.(count).catch(() => {});
}

/** Closes the notices of rooms that were read elsewhere. Each push has to show something, so none is sent for that alone. */
async function closeRead(unread: readonly string[], now: number): Promise<void> {
  for (const notice of await worker.registration.getNotifications()) {
    const { room, at = 0 } = (notice.data ?? {}) as Partial<Place>;
    if (room !== undefined && !unread.includes(room) && at < now) notice.close();
  }
}

worker.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data));
});

/** Only one window may be opened or brought to the front by a press, so that pages are asked before. */
async function open({ navigate, room, seq }: Place & { navigate: string }) {
  const wanted = new URL(navigate);
  const isWanted = ({ url }: Client) => new URL(url).pathname === wanted.pathname;
  const clients = await worker.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const pages = [...clients.filter(isWanted), ...clients.filter((client) => !isWanted(client))];
  for (const page of pages.slice(0, mostAsked)) {
    if (await asked(page, { room, seq })) return void (await page.focus());
  }
  await worker.clients.openWindow(navigate);
}

/** Whether the page has a chat, which opens the room now. */
function asked(page: Client, place: Place): Promise<boolean> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve(true);
    setTimeout(resolve, answerTime, false);
    page.postMessage({ phpChat: place }, [port2]);
  });
}
