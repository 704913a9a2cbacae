import { NotificationTexts } from '../notify/texts.ts';
import { Html, html } from './escaping.ts';

/** The state of the page. `asked`: with the button that turns mails off. `over`: the link is expired or invalid. */
export type StopPage = 'asked' | 'stopped' | 'over';

export const stopPageStyle = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{margin:0;padding:15vh 24px 24px;background:light-dark(#f6f7fa,#111318);color:light-dark(#1a1d29,#e8eaf1)}
main{max-width:30rem;margin:0 auto;padding:28px 32px;border-radius:14px;background:light-dark(#fff,#171920)}
h1{margin:0 0 8px;font-size:22px;line-height:1.3}
p{margin:0 0 20px;color:light-dark(#596076,#a4aabc)}
a{color:light-dark(#3f4fb0,#a6b3fa)}
button{min-height:44px;padding:0 20px;border:0;border-radius:9px;background:light-dark(#3f4fb0,#a6b3fa);color:light-dark(#fff,#0b0d13);font:inherit;font-weight:700;cursor:pointer}`;

/**
 * Renders the page of a link that turns mails off, in the reader's language.
 * @param accepted the `Accept-Language` header
 * @param settings the URL of the user's settings
 */
export function stopPage(is: StopPage, accepted: string | undefined, settings: string): string {
  const texts = new NotificationTexts(wanted(accepted));
  const title = texts.text(is === 'asked' ? 'stopAsk' : 'stopped.title');
  const again = html`<a href="${settings}">${texts.text(is === 'stopped' ? 'stopped.again' : 'change')}</a>`;
  const parts = {
    asked: html`<h1>${title}</h1><form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>${texts.text('stop')}</button></form>`,
    stopped: html`<h1>${title}</h1><p>${texts.text('stopped.text')}</p>${again}`,
    over: html`<p>${texts.text('stopped.over')}</p>${again}`,
  };
  return html`<!doctype html>
<html lang="${texts.lang}" dir="${texts.direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${new Html(stopPageStyle)}</style>
</head>
<body><main>${parts[is]}</main></body>
</html>
`.text;
}

/** Returns the first language of an `Accept-Language` header. */
function wanted(accepted = ''): string {
  return /^\s*([A-Za-z-]{2,16})/.exec(accepted)?.[1] ?? 'en';
}
