// Shows a link to the login form once the chat notices that the login ended, for example by a logout in another tab.
// Hides what only this user may open.
const account = document.querySelector('.account');
const moderate = document.querySelector('.pages a[href$="/moderate"]');

function show(isOver) {
  for (const part of account.children) part.hidden = part.matches('.over') !== isOver;
  if (moderate !== null) moderate.hidden = isOver;
}

// An operator closed the chat of a kicked member, but not the login.
document.addEventListener('php-chat:ended', ({ detail }) => show(detail.reason !== 'kicked'));
// The chat is connected again, for example after a login in another tab.
document.addEventListener('php-chat:unread', () => show(false));

// The module of the chat comes before this one, so its server does not answer. Requests it until it does. A browser
// requests an address that failed only once.
const RETRY_MS = 5000;
const { src } = document.querySelector('script[src$="/php-chat.js"]');
if (customElements.get('php-chat') === undefined) {
  for (const chat of document.querySelectorAll('php-chat')) chat.textContent = chat.dataset.down;
  retry(1);
}

function retry(n) {
  setTimeout(() => import(`${src}?retry=${n}`).catch(() => retry(n + 1)), RETRY_MS);
}
