/**
 * The service worker `sw.js`, in the same folder as the client's script. It shows pushes even if no page of the site is
 * open. A click on a notification opens the room at the message. Its scope is on the chat server, so it neither
 * controls pages of the site nor caches files.
 */

const worker = self as unknown as ServiceWorkerGlobalScope;

/** A declarative push (https://w3c.github.io/push-api/#declarative-push-message). Some browsers show it themselves. */
interface Push {
  notification: {
    title: string;
    body?: string;
    icon?: string;
    lang?: string;
    tag?: string;
    silent?: boolean;
    /** The page that a click opens, with the message in the fragment. */
    navigate: string;
    /** The badge number on the icon of an installed site, in digits. */
    app_badge?: string;
    data?: Place;
  };
}

interface Place {
  room: string;
  seq: number;
  /** All rooms with unread messages. Undefined if there are many. */
  unread?: string[];
  /** The time of `unread` in Unix ms. Pushes may arrive late and out of order. */
  at?: number;
}

/** The timeout for a page to confirm that it has opened the room, in ms. */
const answerTime = 300;
/** The maximum number of pages that are asked. */
const mostAsked = 10;

worker.addEventListener('install', (event) => event.waitUntil(worker.skipWaiting()));

worker.addEventListener('push', (event) => {
  let push: Push | undefined;
  try {
    push = event.data?.json();
  } catch {
    // The push is not from this chat.
  }
  if (typeof push?.notification?.title === 'string') event.waitUntil(show(push.notification));
});

async function show({
  title,
  body,
  icon,
  lang,
  tag,
  silent,
  navigate,
  app_badge,
  data,
}: Push['notification']) {
  // A failure to close other notifications must not prevent this notification.
  if (Array.isArray(data?.unread)) await closeRead(data.unread, data.at ?? 0).catch(() => {});
  await worker.registration.showNotification(title, {
    body,
    icon,
    lang,
    ...(tag === undefined ? {} : { tag, renotify: silent !== true }),
    silent: silent === true,
    data: { ...data, navigate },
  } as NotificationOptions);
  const count = Number(app_badge);
  // Only an installed site has a badge.
  if (Number.isSafeInteger(count) && count > 0) await navigator.setAppBadge?.(count).catch(() => {});
}

/**
 * Closes notifications of rooms that were read elsewhere. There is no push only for this, because a push must show one.
 */
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

/** Opens the room in an open page, otherwise in a new one. A click allows only a single `focus` or `openWindow`. */
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

/** Asks a page to open the room. Resolves to false if the page has no chat or does not respond. */
function asked(page: Client, place: Place): Promise<boolean> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve(true);
    setTimeout(resolve, answerTime, false);
    page.postMessage({ phpChat: place }, [port2]);
  });
}
