import { NotificationTexts } from '../notify/texts.ts';
import { readableOn, textOn } from '../wire/branding.ts';
import { Html, html } from './escaping.ts';

/** The state of the page. `asked`: with the button that turns mails off. `over`: the link is expired or invalid. */
export type StopPage = 'asked' | 'stopped' | 'over';

/** The site, as the page shows it. */
export interface StopPageSite {
  name?: string | undefined;
  accent?: string | undefined;
  /** The path of the logo, relative to the page. */
  logo?: string | undefined;
}

/** The background of the card in dark mode. */
const dark = '#171920';

export const stopPageStyle = ({ accent }: StopPageSite): string => {
  const fill = accent === undefined ? '#3f4fb0,#a6b3fa' : `${accent},${readableOn(dark, accent, 3)}`;
  const text = accent === undefined ? '#fff,#0b0d13' : fill.split(',').map(textOn).join();
  const link = accent === undefined ? fill : `${readableOn('#ffffff', accent)},${readableOn(dark, accent)}`;
  return `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{margin:0;padding:15vh 24px 24px;background:light-dark(#f6f7fa,#111318);color:light-dark(#1a1d29,#e8eaf1)}
main{max-width:30rem;margin:0 auto;padding:28px 32px;border-radius:14px;background:light-dark(#fff,#171920)}
h1{margin:0 0 8px;font-size:22px;line-height:1.3}
p{margin:0 0 20px;color:light-dark(#596076,#a4aabc)}
a{color:light-dark(${link})}
button{min-height:44px;padding:0 20px;border:0;border-radius:9px;background:light-dark(${fill});color:light-dark(${text});font:inherit;font-weight:700;cursor:pointer}
.site{display:flex;align-items:center;gap:10px;margin:0 0 20px;font-weight:700;color:inherit}
.site img{max-width:120px;height:30px;border-radius:6px;object-fit:contain;background:light-dark(transparent,#fff)}`;
};

/**
 * Renders the page of a link that turns mails off, in the reader's language.
 * @param accepted the `Accept-Language` header
 * @param settings the URL of the user's settings
 */
export function stopPage(
  site: StopPageSite,
  is: StopPage,
  accepted: string | undefined,
  settings: string,
): string {
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
<style>${new Html(stopPageStyle(site))}</style>
</head>
<body><main>${siteLine(site)}${parts[is]}</main></body>
</html>
`.text;
}

function siteLine({ name = '', logo }: StopPageSite): Html {
  if (name === '' && logo === undefined) return html``;
  const picture = logo === undefined ? html`` : html`<img src="${logo}" alt="">`;
  return html`<p class="site">${picture}<bdi>${name}</bdi></p>`;
}

/** Returns the first language of an `Accept-Language` header. */
function wanted(accepted = ''): string {
  return /^\s*([A-Za-z-]{2,16})/.exec(accepted)?.[1] ?? 'en';
}
