import type { NotificationTexts } from '../../notify/texts.ts';
import { html } from '../escaping.ts';

/** Why an answer by mail was rejected. `left`: it was accepted without some files. */
export type AnswerKind =
  | 'empty'
  | 'long'
  | 'large'
  | 'sender'
  | 'expired'
  | 'room'
  | 'muted'
  | 'limit'
  | 'files'
  | 'left';

/** Writes the mail about an answer. @param files names of files that were left out, without links */
export function writeAnswer(
  kind: AnswerKind,
  files: readonly string[],
  pageUrl: string,
  texts: NotificationTexts,
): { subject: string; text: string; html: string } {
  const subject = texts.text(kind === 'left' ? 'unposted.leftTitle' : 'unposted.title');
  const reason = texts.text(`unposted.${kind}`, { files: texts.list(files) });
  const open = texts.text('open');
  return {
    subject,
    text: `${subject}\n\n${reason}\n\n${open}:\n${pageUrl}\n`,
    html: html`<!doctype html>
<html lang="${texts.lang}" dir="${texts.direction}">
<head><meta charset="utf-8"><title>${subject}</title></head>
<body style="font-family:system-ui,sans-serif;font-size:15px;line-height:22px">
<p><b>${subject}</b></p>
<p>${reason}</p>
<p><a href="${pageUrl}">${open}</a></p>
</body>
</html>
`.text,
  };
}
