import { loadTexts, wantedLanguage } from '../strings/languages.ts';
import style from '../styles/host.css?inline';
import { sharedSheet } from '../styles/shared-sheet.ts';
import { ModerateApp } from './app.ts';

/** The moderators' page as one tag, only for the server's own page. */
export class PhpChatModerate extends HTMLElement {
  readonly #root = this.attachShadow({ mode: 'open' });
  #app: ModerateApp | undefined;

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sharedSheet(style)];
    // Shows the content of the tag until the page is loaded.
    this.#root.append(document.createElement('slot'));
  }

  connectedCallback(): void {
    void this.#load();
  }

  disconnectedCallback(): void {
    this.#app?.stop();
    this.#app = undefined;
  }

  async #load(): Promise<void> {
    const loaded = await loadTexts(wantedLanguage(this), undefined).catch(() => undefined);
    // Without texts the content of the tag says that it could not be loaded.
    if (loaded === undefined || !this.isConnected) return;
    const server = new URL('.', document.baseURI).href;
    this.#app = new ModerateApp(this, this.#root, server, loaded.texts);
  }
}
