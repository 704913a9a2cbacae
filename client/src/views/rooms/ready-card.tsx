import style from '../../styles/first-run.css?inline';
import type { Context } from '../context.ts';
import { copy } from '../controls/copy.ts';
import { Icon } from '../controls/icon.tsx';

let sheet: CSSStyleSheet | undefined;

/** Adds the style sheet of this card, which loads with its code. */
function dress(element: Element | null): void {
  const root = element?.getRootNode();
  if (!(root instanceof ShadowRoot)) return;
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
  }
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
}

/** For the owner of a new chat: the code that adds it to the site. */
export function ReadyCard({ context, hide }: { context: Context; hide(): void }) {
  const { chat, strings } = context;
  const address = chat.server.replace(/\/$/, '');
  // Users log in on the site, and the chat's own page may have another host.
  const site = URL.parse(context.attribute('login-url') || '.', location.href)?.origin;
  const isListed = context.attribute('site-url') === site;
  const lines = [
    ...(isListed ? [] : [`CHAT_ORIGINS=${site}`]),
    `<script type="module" src="${address}/php-chat.js"></script>`,
    `<php-chat server="${address}"></php-chat>`,
  ].join('\n');
  return (
    <section class="ready" aria-label={strings.text('ready.title')} ref={dress}>
      <h3>
        <Icon name="check" />
        {strings.text('ready.title')}
      </h3>
      <p>{strings.text(isListed ? 'ready.page' : 'ready.text')}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so keyboard users must reach it. */}
      <pre tabIndex={0}>
        <code>{lines}</code>
      </pre>
      <div class="acts">
        <button type="button" class="btn primary" onClick={() => copy(lines, context)}>
          {strings.text('common.copy')}
        </button>
        <a class="btn" href={`${chat.server}guide.html`} target="_blank" rel="noopener">
          {strings.text('ready.guide')}
        </a>
        <span class="spring" />
        <button type="button" class="btn quiet" onClick={hide}>
          {strings.text('common.hide')}
        </button>
      </div>
    </section>
  );
}
