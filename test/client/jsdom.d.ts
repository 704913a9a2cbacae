/** The part of jsdom that open-page.ts uses. jsdom's own types would add the browser's globals to the server's code. */
declare module 'jsdom' {
  import type { Context } from 'node:vm';

  export class CookieJar {
    setCookieSync(cookie: string, url: string): void;
    getCookieStringSync(url: string): string;
    removeAllCookiesSync(): void;
  }

  export class VirtualConsole {
    on(event: 'jsdomError', listener: (error: Error & { type: string }) => void): void;
    on(event: 'warn', listener: (text: string) => void): void;
  }

  export class JSDOM {
    constructor(
      html: string,
      options: {
        url: string;
        runScripts: 'outside-only';
        pretendToBeVisual: boolean;
        cookieJar: CookieJar;
        virtualConsole: VirtualConsole;
      },
    );
    readonly window: Window & typeof globalThis;
    getInternalVMContext(): Context;
    reconfigure(settings: { url: string }): void;
  }
}
