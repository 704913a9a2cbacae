import type { Letter, LetterRoom } from './letter.ts';

/**
 * Renders a mail as plain text. Each line of a message is quoted, so that it cannot pass for a line of the mail or for
 * another message.
 */
export function plainOf({
  title,
  summary,
  rooms,
  moreRooms,
  hidden,
  open,
  answer,
  why,
  stop,
  change,
}: Letter): string {
  const hasTexts = rooms.some(({ messages }) => messages.length > 0);
  const parts = [
    summary === '' || !hasTexts ? title : `${title}\n${summary}`,
    ...(hasTexts ? rooms.map(withMessages) : [rooms.map(inLine).join('\n')]),
    moreRooms === '' ? '' : `  ${moreRooms}`,
    hidden,
    `${open.text}:\n${open.address}`,
  ];
  const footer = [
    ...(answer === '' ? [] : [answer]),
    why,
    `${stop.text}: ${stop.address}`,
    `${change.text}: ${change.address}`,
  ];
  return [...parts.filter((part) => part !== ''), ['-- ', ...footer].join('\n')].join('\n\n');
}

const noted = (name: string, note: string) => (note === '' ? name : `${name} (${note})`);
const inLine = ({ name, note, count }: LetterRoom) => `  ${noted(name, note)}: ${count}`;
const quoted = (text: string) => text.replace(/^/gm, '  > ');

function withMessages({ name, note, count, messages, more }: LetterRoom): string {
  const each = messages.map(({ author, time, files, text }) => {
    const whole = text.map((piece) => piece.text).join('');
    const lines = [
      ...(author === undefined ? [] : [`  ${author.name}, ${time}`]),
      ...files.map((file) => `  [${file}]`),
      ...(whole === '' ? [] : [quoted(whole)]),
    ];
    return lines.join('\n');
  });
  const parts = [
    `${noted(name.toLocaleUpperCase(), note)}, ${count}`,
    ...each,
    ...(more.text === '' ? [] : [`  ${more.text}`]),
  ];
  return parts.join('\n\n');
}
