// Shows a link to the login form once the chat notices that the login ended, for example by a logout in another tab.
const account = document.querySelector('.account');

function show(isOver) {
  for (const part of account.children) part.hidden = part.matches('.over') !== isOver;
}

// An operator closed the chat of a kicked member, but not the login.
document.addEventListener('php-chat:ended', ({ detail }) => show(detail.reason !== 'kicked'));
// The chat is connected again, for example after a login in another tab.
document.addEventListener('php-chat:unread', () => show(false));
