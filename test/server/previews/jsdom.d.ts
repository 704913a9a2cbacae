/** The part of jsdom that page.unit.test.ts uses. jsdom's own types would add the browser's globals to the server's code. */
declare module 'jsdom' {
  export class JSDOM {
    constructor(html: Uint8Array, options: { contentType: string });
    readonly window: { document: { title: string } };
  }
}
