import { expect, type Page } from '@playwright/test';

/** A page of another site that contains the chat. */
export interface HostPage {
  /** What the page contains or does, as sites do with libraries. */
  readonly name: string;
  readonly css?: string;
  readonly attributes?: string;
  /** The content of the body. `CHAT` stands for the tag. */
  readonly body?: string;
  /** Runs before the chat's script. `fired(name)` records an action of the page. */
  readonly script?: string;
  /** `SERVER` and `SOCKET` stand for the addresses of the chat server. */
  readonly policy?: string;
  /** Runs only in the soak run, because another page of the list differs little. */
  readonly soak?: boolean;
  /** Runs after the steps that all pages have in common. */
  check?(page: Page): Promise<void>;
}

/** Returns the recorded actions of the page, and forgets them. */
export const firedIn = (page: Page): Promise<string[]> =>
  page.evaluate(() => (document as unknown as { fired: string[] }).fired.splice(0));

const field = (page: Page) => page.getByRole('textbox', { name: /^Message to/ });

/** Buttons that shortcuts of the page press. The letters occur in the messages of the test. */
const buttons = ['g', 's', '/', 'Enter', ' ', 'Control+k', 'Escape']
  .map((key) => `<button data-hotkey="${key}">${key}</button>`)
  .join('');

const isField = `(at) => at instanceof HTMLElement && (/^(INPUT|TEXTAREA|SELECT)$/.test(at.nodeName) || at.isContentEditable)`;

/** Like @github/hotkey. */
const hotkey = `document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || (${isField})(event.target)) return;
  const key = (event.ctrlKey ? 'Control+' : '') + event.key;
  for (const button of document.querySelectorAll('[data-hotkey]')) {
    if (button.dataset.hotkey !== key) continue;
    fired(key);
    button.focus();
    event.preventDefault();
  }
});`;

/** Like Mousetrap, which uses three events and ignores that another listener has used one. */
const mousetrap = `for (const type of ['keydown', 'keypress', 'keyup'])
  document.addEventListener(type, (event) => {
    if ((${isField})(event.target) || !['g', '/', ' ', 'Escape'].includes(event.key)) return;
    fired(type + ' ' + event.key);
    event.preventDefault();
  });`;

/** Like hotkeys-js, which remembers the pressed keys, so it needs each keyup. */
const pressedKeys = `const down = new Set();
document.addEventListener('keydown', (event) => {
  if ((${isField})(event.target)) return;
  down.add(event.key);
  if ([...down].join('+') === 'g') document.querySelector('php-chat').focus();
});
document.addEventListener('keyup', (event) => {
  down.delete(event.key);
  document.down = [...down].join('+');
});`;

/** Like Dropzone on the whole page. */
const dropzone = `for (const type of ['dragenter', 'dragover', 'dragleave', 'drop'])
  document.addEventListener(type, (event) => {
    fired(type);
    event.preventDefault();
  });`;

/** Like Lenis, which scrolls the page itself. */
const smoothScrolling = `for (const type of ['wheel', 'touchmove'])
  addEventListener(type, (event) => {
    fired(type);
    event.preventDefault();
  }, { passive: false });`;

/** Like WordPress plugins that keep visitors from copying texts. */
const copyProtection = `document.onmousedown = document.onselectstart = ({ target }) =>
  /^(INPUT|TEXTAREA|SELECT)$/.test(target.nodeName);
document.oncopy = document.oncontextmenu = document.ondragstart = () => false;`;

/** Listeners for fields that assume that the target is a field. */
const delegated = `for (const type of ['input', 'beforeinput', 'paste', 'copy', 'cut'])
  document.addEventListener(type, (event) => {
    if (!event.target.closest('[contenteditable]')) fired((type + ' ' + event.target.value).trim());
  });`;

/** Like the modal of Bootstrap 5: Esc closes it, and the focus must stay in it. */
const modal = `addEventListener('load', () => {
  const modal = document.querySelector('.modal');
  document.addEventListener('focusin', ({ target }) => {
    if (!modal.hidden && target !== document && !modal.contains(target)) modal.focus();
  });
  modal.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') modal.hidden = true;
  });
  modal.focus();
});`;

const reset = `margin: 0; padding: 0; border: 0; font: inherit; vertical-align: baseline;`;

export const hostPages: readonly HostPage[] = [
  {
    name: 'the base of Bootstrap',
    soak: true,
    css: `*, ::before, ::after { box-sizing: border-box } :root { scroll-behavior: smooth }
      body { margin: 0; font: 400 1rem/1.5 system-ui; color: #212529; -webkit-text-size-adjust: 100% }
      button { text-transform: none } textarea { resize: vertical } [hidden] { display: none !important }`,
  },
  {
    name: 'the base of Tailwind',
    soak: true,
    css: `*, ::before, ::after { box-sizing: border-box; border: 0 solid #e5e7eb; margin: 0; padding: 0 }
      html { line-height: 1.5; tab-size: 4 } body { line-height: inherit } img, svg { display: block }`,
  },
  {
    name: 'normalize.css and Foundation',
    soak: true,
    css: `html { box-sizing: border-box; font-size: 100%; line-height: 1.15 }
      *, ::before, ::after { box-sizing: inherit } body { text-rendering: optimizeLegibility; -webkit-font-smoothing: antialiased }`,
  },
  {
    name: 'the base of Bulma',
    soak: true,
    css: `html { overflow: hidden scroll; box-sizing: border-box; text-rendering: optimizeLegibility }
      *, ::before, ::after { box-sizing: inherit } body { font: 400 1em/1.5 sans-serif; margin: 0 }`,
  },
  {
    name: 'an old reset',
    soak: true,
    css: `* { box-sizing: content-box; width: 100%; ${reset} }`,
  },
  { name: '* { all: unset }', css: `* { all: unset } head, head * { display: none }` },
  { name: '* { height: auto }', css: `* { height: auto; max-height: none; min-height: 0 }`, soak: true },
  {
    name: 'right to left',
    soak: true,
    attributes: 'lang="en" dir="rtl"',
    css: `body { direction: rtl; text-align: right }`,
  },
  {
    name: 'html { font-size: 62.5% }',
    soak: true,
    css: `html { font-size: 62.5% } body { font-size: 1.6rem }`,
  },
  {
    name: 'a dark theme',
    soak: true,
    css: `:root { color-scheme: dark; background: #111; color: #eee } body { color: #eee; background: #181818 }`,
  },
  {
    name: 'shortcuts of GitHub',
    body: `${buttons}CHAT`,
    script: hotkey,
    async check(page) {
      // In the chat the same keys have another meaning.
      await field(page).press('Control+k');
      await expect(page.getByRole('dialog')).toBeVisible();
      await page.keyboard.press('Escape');
      await expect(page.getByRole('dialog')).toHaveCount(0);
      expect(await firedIn(page)).toEqual([]);
      // This Esc ends the composition of a Japanese word.
      const esc = { key: 'Escape', isComposing: true, bubbles: true, composed: true };
      await field(page).dispatchEvent('keydown', esc);
      expect(await firedIn(page)).toEqual([]);
      // The chat has no use for Esc.
      await field(page).press('Escape');
      expect(await firedIn(page)).toEqual(['Escape']);
      await page.evaluate(() => (document.activeElement as HTMLElement).blur());
      await page.keyboard.press('g');
      expect(await firedIn(page)).toEqual(['g']);
    },
  },
  {
    name: 'shortcuts of Mousetrap',
    body: 'CHAT',
    script: mousetrap,
    async check(page) {
      // Letters are also shortcuts of the chat.
      const message = page.getByRole('article').last();
      await message.focus();
      await page.keyboard.press('g');
      await page.keyboard.press('r');
      await expect(field(page)).toBeFocused();
      await page.keyboard.press('Escape');
      expect(await firedIn(page)).toEqual([]);
      await page.evaluate(() => (document.activeElement as HTMLElement).blur());
      await page.keyboard.press('g');
      expect(await firedIn(page)).toEqual(['keydown g', 'keyup g']);
    },
  },
  {
    name: 'shortcuts of hotkeys-js',
    soak: true,
    body: 'CHAT',
    script: pressedKeys,
    async check(page) {
      await page.evaluate(() => (document.activeElement as HTMLElement).blur());
      await page.keyboard.down('g');
      await expect(field(page)).toBeFocused();
      await page.keyboard.up('g');
      expect(await page.evaluate('document.down')).toBe('');
      await field(page).fill('');
    },
  },
  {
    name: 'a strict policy',
    soak: true,
    policy: `default-src 'none'; script-src 'nonce-host' SERVER; connect-src SERVER SOCKET; style-src 'nonce-host'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'`,
  },
  {
    name: 'a body that Turbo replaces',
    body: `<main>first page</main><div id="kept">CHAT</div>`,
    script: `document.visit = async () => {
      const body = document.createElement('body');
      body.innerHTML = '<main>second page</main><meta name="place">';
      const kept = document.querySelector('#kept');
      document.body.replaceWith(body);
      document.title = 'Second';
      await null;
      await null;
      body.querySelector('meta').replaceWith(kept);
    };`,
    async check(page) {
      const sockets: string[] = [];
      page.on('websocket', (socket) => sockets.push(socket.url()));
      await expect(page).toHaveTitle('(2) Host');
      await field(page).fill('a draft');
      await page.evaluate('document.visit()');
      await expect(page.getByText('second page')).toBeVisible();
      await expect(page).toHaveTitle('(2) Second');
      await expect(field(page)).toHaveValue('a draft');
      await expect(page.getByRole('article').last()).toBeInViewport();
      await field(page).fill('');
      expect(sockets).toEqual([]);
    },
  },
  {
    name: 'a morph of Livewire',
    soak: true,
    body: `<main><p>before</p>CHAT</main>`,
    script: `const morph = (from, to) => {
      for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
      for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
      const [old, fresh] = [[...from.childNodes], [...to.childNodes]];
      fresh.forEach((node, n) => {
        if (old[n]?.nodeName !== node.nodeName) from.insertBefore(node, old[n] ?? null);
        else if (node.nodeType === 1) morph(old[n], node);
        else old[n].data = node.data;
      });
      for (const node of old.slice(fresh.length)) node.remove();
    };
    document.visit = async () => {
      const to = document.createElement('main');
      to.innerHTML = '<p>after</p>' + document.tag;
      morph(document.querySelector('main'), to);
    };`,
    async check(page) {
      await field(page).pressSequentially('half');
      await page.evaluate('document.visit()');
      await page.keyboard.type(' a message');
      await expect(field(page)).toHaveValue('half a message');
      await field(page).fill('');
    },
  },
  {
    name: 'a part that htmx replaces',
    soak: true,
    body: `<main>CHAT</main>`,
    script: `document.visit = async () => {
      document.querySelector('main').innerHTML = '<p>after</p>' + document.tag;
    };`,
    async check(page) {
      await field(page).fill('a draft');
      await page.evaluate('document.visit()');
      await expect(field(page)).toHaveValue('a draft');
      await field(page).fill('');
    },
  },
  {
    name: 'the boxes of a page builder',
    css: `body { margin: 0 } .row { display: flex; align-items: flex-start } .row > * { flex: 1 1 0 }
      .box { transform: translateX(10px) scale(.95); overflow: hidden; padding: 15px; text-align: center }
      .box > * { margin-block: 0 20px }`,
    body: `<div class="row"><div class="box">CHAT</div><div class="side">Beside</div></div>`,
  },
  {
    name: 'a modal of Bootstrap',
    css: `.modal { position: fixed; inset: 0; overflow: auto } .dialog { width: 700px; pointer-events: none } .dialog > * { pointer-events: auto }`,
    body: `<button>Outside</button><div class="modal" tabindex="-1"><div class="dialog">CHAT</div></div>`,
    script: modal,
    async check(page) {
      const modal = page.locator('.modal');
      await expect(modal).toBeVisible();
      await field(page).press('Tab');
      await field(page).press('Escape');
      await expect(modal).toBeHidden();
    },
  },
  {
    name: 'a <dialog>',
    soak: true,
    body: `<dialog class="modal" style="width: 700px">CHAT</dialog>`,
    script: `addEventListener('load', () => {
      const dialog = document.querySelector('dialog');
      dialog.showModal();
      dialog.onclose = () => { dialog.hidden = true };
    });`,
    async check(page) {
      await expect(page.locator('dialog.modal')).toBeVisible();
      await field(page).press('Escape');
      await expect(page.locator('dialog.modal')).toBeHidden();
    },
  },
  {
    name: 'an editor',
    body: `<div contenteditable>Text <div>CHAT</div></div>`,
    soak: true,
    script: delegated,
    async check(page) {
      await page.locator('[contenteditable]').press('x');
      expect(
        await page
          .locator('php-chat .bubble')
          .first()
          .evaluate((bubble: HTMLElement) => bubble.isContentEditable),
      ).toBe(false);
    },
  },
  {
    name: 'listeners for all fields',
    body: '<php-chat room="elements"><input slot="header-end" aria-label="Own field"></php-chat>',
    script: delegated,
    async check(page) {
      await field(page).fill('copied');
      for (const keys of ['Control+a', 'Control+x', 'Control+v', 'Control+c'])
        await page.keyboard.press(keys);
      await expect(field(page)).toHaveValue('copied');
      await field(page).fill('');
      expect(await firedIn(page)).toEqual([]);
      await page.getByLabel('Own field').press('a');
      expect(await firedIn(page)).toEqual(['beforeinput', 'input a']);
    },
  },
  {
    name: 'a dropzone',
    body: '<p>outside</p>CHAT',
    script: dropzone,
    async check(page) {
      const dataTransfer = await page.evaluateHandle(() => {
        const data = new DataTransfer();
        data.items.add(new File(['words'], 'plan.txt', { type: 'text/plain' }));
        return data;
      });
      const remove = page.getByRole('button', { name: 'Remove plan.txt' });
      for (const place of [page.getByRole('log'), field(page)]) {
        for (const type of ['dragenter', 'dragover', 'drop'])
          await place.dispatchEvent(type, { dataTransfer });
        await remove.click();
        await expect(remove).toHaveCount(0);
      }
      expect(await firedIn(page)).toEqual([]);
      await page.getByText('outside').dispatchEvent('drop', { dataTransfer });
      expect(await firedIn(page)).toEqual(['drop']);
    },
  },
  {
    name: 'smooth scrolling by a script',
    css: 'php-chat { --pc-height: 320px }',
    body: '<p>outside</p>CHAT',
    script: smoothScrolling,
    async check(page) {
      const log = page.getByRole('log');
      const top = () => log.evaluate(({ scrollTop }) => scrollTop);
      const before = await top();
      expect(before).toBeGreaterThan(50);
      await log.hover();
      await page.mouse.wheel(0, -50);
      await expect.poll(top).toBeLessThan(before);
      await log.dispatchEvent('touchmove');
      expect(await firedIn(page)).toEqual([]);
      for (const place of [page.getByText('outside'), page.getByRole('button', { name: 'Room menu' })]) {
        await place.hover();
        await page.mouse.wheel(0, 50);
        await expect.poll(() => firedIn(page)).toEqual(['wheel']);
      }
    },
  },
  // Here a click must focus the field. A chat without anything else focuses it when it loads.
  { name: 'a script against copying', body: '<p>outside</p>CHAT', script: copyProtection },
  { name: 'a frame', soak: true, body: `<iframe style="width: 100%; height: 700px"></iframe>` },
  {
    name: 'a launcher next to a modal and shortcuts',
    body: `${buttons}<div class="modal" tabindex="-1"><button>Inside</button></div><php-chat-launcher room="elements"></php-chat-launcher>`,
    // Old modals close at the `keyup` of Esc.
    script: `${hotkey}${modal}document.addEventListener('keyup', ({ key }) => key === 'Escape' && fired('keyup'));`,
    async check(page) {
      // Livewire and Turbo remove elements that the response of the site does not have.
      await page.locator('php-chat').evaluate((chat) => chat.remove());
      const panel = page.getByRole('dialog', { name: 'Chat' });
      await field(page).press('Escape');
      await expect(panel).toBeHidden();
      expect(await firedIn(page)).toEqual([]);
      await expect(page.locator('.modal')).toBeVisible();
      // Turbo shows a copy of the page on Back, with the chat that was open.
      await page.evaluate(() => document.body.replaceWith(document.body.cloneNode(true)));
      await page.getByRole('button', { name: /^Open chat/ }).click();
      await expect(field(page)).toBeVisible();
      await expect(page.locator('php-chat')).toHaveCount(1);
    },
  },
];
