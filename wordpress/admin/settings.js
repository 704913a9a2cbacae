(() => {
  const { action, nonce, ticketUrl, candidates, failed } = window.phpSessionChat;
  const field = document.getElementById('php-session-chat-server');
  const button = document.getElementById('php-session-chat-test');
  const output = document.getElementById('php-session-chat-findings');
  const timeoutMs = 5000;
  const notices = { ok: 'success', warning: 'warning', problem: 'error' };

  const get = (url, options) =>
    fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(timeoutMs), ...options });

  /** Returns the complete address of a chat server, or undefined if the text is not an address. */
  function addressOf(text) {
    const typed = text.trim();
    if (!/^(https?:\/)?\//.test(typed) || !URL.canParse(typed, location.href)) return undefined;
    return new URL(typed, location.href).href.replace(/\/*$/, '/');
  }

  /** Asks WordPress for a ticket. Without tickets, the cookie of the login is enough. */
  async function askTicket() {
    if (ticketUrl === '') return {};
    const response = await get(ticketUrl);
    const { ticket, message } = (await response.json().catch(() => null)) ?? {};
    return ticket === undefined ? { ticketStatus: response.status, ticketMessage: message } : { ticket };
  }

  /**
   * Connects as the chat does. Returns its user, whether there is a team for questions, and for an admin of the chat
   * what the server lacks; or the code of its refusal; or nothing without a connection.
   */
  function connect(address, auth) {
    const url = `${address.replace(/^http/, 'ws')}socket.io/?EIO=4&transport=websocket`;
    return new Promise((resolve) => {
      const socket = new WebSocket(url);
      let isOpen = false;
      let ready;
      const timer = setTimeout(() => end(ready ?? (isOpen ? { code: 'timeout' } : {})), timeoutMs);
      const end = (result) => {
        clearTimeout(timer);
        resolve(result);
        socket.close();
      };
      socket.onerror = socket.onclose = () => end({});
      socket.onmessage = ({ data }) => {
        // Packets of Engine.IO and Socket.IO: open, ping, event, ack, connect_error.
        if (data[0] === '0') {
          isOpen = true;
          socket.send(`40${JSON.stringify(auth)}`);
        } else if (data === '2') {
          socket.send('3');
        } else if (data.startsWith('42')) {
          const [name, payload] = JSON.parse(data.slice(2));
          if (name !== 'session:ready') return;
          const hasTeam = payload.can.ask === true || payload.roles.includes('team');
          ready = { user: payload.user.id, hasTeam: hasTeam ? 1 : 0 };
          socket.send('420["moderate:overview",{}]');
        } else if (data.startsWith('430')) {
          const [{ data: overview }] = JSON.parse(data.slice(3));
          end({ ...ready, missing: overview?.missing?.join() });
        } else if (data.startsWith('44')) {
          end({ code: JSON.parse(data.slice(2)).data?.code ?? 'internal' });
        }
      };
    }).catch(() => ({}));
  }

  /**
   * Asks over HTTP why there is no connection. A POST has the origin of the page, which a GET to the same host lacks.
   * Returns the status 0 if there is no answer, or the browser hides it.
   */
  async function causeOf(address) {
    try {
      const url = `${address}socket.io/?EIO=4&transport=polling`;
      const response = await get(url, { method: 'POST', credentials: 'include' });
      const { error } = await response.json().catch(() => ({}));
      return { status: response.status, code: error?.code };
    } catch {
      return { status: 0 };
    }
  }

  /** Returns whether there is the script of a chat server, which pages of all origins may load. */
  const hasScript = (address) =>
    get(`${address}php-chat.js`, { credentials: 'omit' }).then(
      ({ ok, headers }) => ok && /javascript/.test(headers.get('Content-Type')),
      () => false,
    );

  /** Returns another address with a chat server, if there is one. */
  async function findElsewhere(address) {
    for (const candidate of candidates)
      if (addressOf(candidate) !== address && (await hasScript(addressOf(candidate)))) return candidate;
    return undefined;
  }

  async function askChat(address) {
    const { ticket, ...refused } = await askTicket();
    if (refused.ticketStatus !== undefined) return refused;
    const result = await connect(address, ticket === undefined ? {} : { ticket });
    if (result.user === undefined && result.code === undefined) Object.assign(result, await causeOf(address));
    const isThere = await hasScript(address);
    const isMissing = !isThere && result.user === undefined && result.code === undefined;
    const found = isMissing ? await findElsewhere(address) : undefined;
    return { ...result, hasScript: isThere ? 1 : 0, found };
  }

  function elementOf({ level, text, advice, lines }) {
    const notice = document.createElement('div');
    notice.className = `notice notice-${notices[level]} inline`;
    for (const [tag, content, dir] of [
      ['p', text, 'auto'],
      ['p', advice, 'auto'],
      ['pre', lines, 'ltr'],
    ]) {
      if (!content) continue;
      const element = document.createElement(tag);
      element.textContent = content;
      element.dir = dir;
      if (tag === 'pre') element.style.cssText = 'overflow-x: auto; user-select: all';
      notice.append(element);
    }
    return notice;
  }

  async function test() {
    const body = new FormData();
    const address = addressOf(field.value);
    const given = { action, _ajax_nonce: nonce, server: field.value, origin: location.origin };
    const answers = address === undefined ? {} : await askChat(address);
    for (const [name, value] of Object.entries({ ...given, ...answers }))
      if (value !== undefined) body.append(name, value);
    const response = await fetch(window.ajaxurl, { method: 'POST', body });
    return (await response.json()).data;
  }

  button.addEventListener('click', async () => {
    button.disabled = true;
    output.replaceChildren();
    const findings = await test().catch(() => [{ level: 'problem', text: failed }]);
    output.replaceChildren(...findings.map(elementOf));
    output.scrollIntoView({ block: 'nearest' });
    button.disabled = false;
  });
  if ('now' in button.dataset) button.click();
})();
