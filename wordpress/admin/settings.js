(() => {
  const { action, nonce, ticketUrl, failed } = window.phpSessionChat;
  const field = document.getElementById('php-session-chat-server');
  const button = document.getElementById('php-session-chat-test');
  const output = document.getElementById('php-session-chat-findings');
  const timeoutMs = 5000;
  const notices = { ok: 'success', warning: 'warning', problem: 'error' };

  /** Asks WordPress for a ticket. Without tickets, the cookie of the login is enough. */
  async function askTicket() {
    if (ticketUrl === '') return {};
    const response = await fetch(ticketUrl, { cache: 'no-store', signal: AbortSignal.timeout(timeoutMs) });
    const { ticket, message } = (await response.json().catch(() => null)) ?? {};
    return { ticket, refused: { ticketStatus: response.status, ticketMessage: message } };
  }

  /** Asks the chat server who this browser is. */
  async function askChat() {
    const { ticket, refused } = await askTicket();
    if (refused !== undefined && ticket === undefined) return refused;
    const headers = ticket === undefined ? {} : { Authorization: `Ticket ${ticket}` };
    if (!URL.canParse(field.value.trim(), location.href)) return {};
    const address = new URL(field.value.trim(), location.href).href.replace(/\/*$/, '/');
    const get = (path, credentials, headers = {}) =>
      fetch(address + path, {
        credentials,
        headers,
        cache: 'no-store',
        signal: AbortSignal.timeout(timeoutMs),
      });
    try {
      const response = await get('me', 'include', headers);
      const { user, error } = await response.json().catch(() => ({}));
      return { status: response.status, code: error?.code, user: user?.id };
    } catch {
      // A page of another origin cannot read a rejection, but it can read the script.
      const script = await get('php-chat.js', 'omit').catch(() => undefined);
      return { status: 0, hasScript: script?.ok ? 1 : 0 };
    }
  }

  function elementOf({ level, text, advice, lines }) {
    const notice = document.createElement('div');
    notice.className = `notice notice-${notices[level]} inline`;
    for (const [tag, content] of [
      ['p', text],
      ['p', advice],
      ['pre', lines],
    ]) {
      if (!content) continue;
      const element = document.createElement(tag);
      element.textContent = content;
      if (tag === 'pre') element.style.cssText = 'overflow-x: auto; user-select: all';
      notice.append(element);
    }
    return notice;
  }

  async function test() {
    const body = new FormData();
    const given = { action, _ajax_nonce: nonce, server: field.value, origin: location.origin };
    for (const [name, value] of Object.entries({ ...given, ...(await askChat()) }))
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
