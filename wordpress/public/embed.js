(() => {
  // Posts of authors may contain any class, ID and attribute `data-…`, but no script element.
  const settings = document.querySelector('script.php-session-chat-settings');
  const { server, cookie, ask, guests } = JSON.parse(settings.textContent);
  const script = `${server}php-chat.js`;
  const boxes = document.querySelectorAll('.php-session-chat');
  const entry = document.cookie.split('; ').find((each) => each.startsWith(`${cookie}=`));
  /** The ID of the logged-in user, or undefined. */
  const user = entry?.slice(cookie.length + 1) || undefined;
  let asked;

  /** Asks WordPress whether the role of this user sees the chat, once for all boxes of the page. */
  const hasRole = () =>
    (asked ??= fetch(ask, { credentials: 'same-origin', cache: 'no-store' })
      .then((response) => response.json())
      .then(({ sees }) => sees === true)
      .catch(() => false));

  async function fill(box) {
    const { notTo } = box.dataset;
    const [chat, visitor] = box.querySelectorAll(':scope > template');
    const sees =
      user === undefined
        ? guests && notTo === undefined
        : user !== notTo && (ask === '' || (await hasRole()));
    if (!sees) return box.replaceChildren(user === undefined && visitor ? visitor.content : '');
    // A theme that filters the description of an archive removes the template around the button.
    if (chat === undefined) return;
    // A visitor gets no ticket, so the chat need not ask for one.
    if (user === undefined)
      for (const element of chat.content.querySelectorAll('[ticket-url]'))
        element.removeAttribute('ticket-url');
    box.replaceChildren(chat.content);
    if (document.querySelector(`script[src="${CSS.escape(script)}"]`) === null) {
      const module = document.createElement('script');
      module.type = 'module';
      module.src = script;
      document.head.append(module);
    }
  }

  for (const box of boxes) void fill(box);
})();
