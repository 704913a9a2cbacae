(() => {
  const boxes = document.querySelectorAll('.php-session-chat[data-cookie]');
  let asked;

  /** Asks WordPress whether the role of this user sees the chat, once for all boxes of the page. */
  const hasRole = (url) =>
    (asked ??= fetch(url, { credentials: 'same-origin', cache: 'no-store' })
      .then((response) => response.json())
      .then(({ sees }) => sees === true)
      .catch(() => false));

  /** Returns the ID of the logged-in user, or undefined. */
  function userIn(cookie) {
    const entry = document.cookie.split('; ').find((each) => each.startsWith(`${cookie}=`));
    return entry?.slice(cookie.length + 1) || undefined;
  }

  async function fill(box) {
    const { cookie, ask, guests, notTo } = box.dataset;
    const [chat, visitor] = box.querySelectorAll(':scope > template');
    const user = userIn(cookie);
    const sees = user === undefined ? guests !== undefined : user !== notTo && (!ask || (await hasRole(ask)));
    if (!sees) return box.replaceChildren(user === undefined && visitor ? visitor.content : '');
    // A theme that filters the description of an archive removes the template around the button.
    if (chat === undefined) return;
    // A visitor gets no ticket, so the chat need not ask for one.
    if (user === undefined)
      for (const element of chat.content.querySelectorAll('[ticket-url]'))
        element.removeAttribute('ticket-url');
    // Not from an attribute `data-…`, which WordPress accepts in the posts of authors who may not add scripts.
    const server = chat.content.querySelector('[server]')?.getAttribute('server');
    box.replaceChildren(chat.content);
    const script = `${server}php-chat.js`;
    if (server && document.querySelector(`script[src="${CSS.escape(script)}"]`) === null) {
      const module = document.createElement('script');
      module.type = 'module';
      module.src = script;
      document.head.append(module);
    }
  }

  for (const box of boxes) void fill(box);
})();
