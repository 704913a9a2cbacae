import type { MouseEventHandler } from 'preact';
import type { pictures as ofModerators } from '../../moderate/pictures.ts';
import type { pictures } from './pictures.ts';

const paths = {
  bellOff: 'M3.5 3.5l17 17M7.4 7.2A6 6 0 0 0 6 11v6l-1.5 1.5h14M9.2 5.7A6 6 0 0 1 18 11v3M10 21h4',
  plus: 'M12 5v14M5 12h14',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM16 16l4.5 4.5',
  alert: 'M12 4 2.8 19.5h18.4zM12 10v4.5M12 17.2h.01',
  back: 'm14.5 5-7 7 7 7',
  bubble: 'M4 5h16v11.5H10.5L6 20v-3.5H4z',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  clock: 'M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 7.5V12l3 2',
  close: 'M6 6l12 12M18 6 6 18',
  dots: 'M5.5 12h.01M12 12h.01M18.5 12h.01',
  read: 'm2.5 12.5 4 4 8-9M11 15.5l1.2 1 8.3-9',
  down: 'M12 5v14M5.5 12.5 12 19l6.5-6.5',
  enter: 'M14 4.5h5v15h-5M10.5 8l4 4-4 4M14 12H4.5',
  exit: 'M10 4.5H5v15h5M15.5 8l4 4-4 4M19 12H9.5',
  flag: 'M5.5 21V4M5.5 5h12l-2.5 4 2.5 4h-12',
  fold: 'm5 9.5 7 7 7-7',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  offline:
    'M3.5 3.5l17 17M5 12.3a10 10 0 0 1 4.4-2.5M13.5 9.3c2.1.3 4 1.3 5.5 2.9M2 8.8a15 15 0 0 1 4-2.6M10.5 5.1A15 15 0 0 1 22 8.8M8.5 15.8a5 5 0 0 1 6.8-.1M12 19.5h.01',
  people:
    'M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 19.5c.6-3.3 3.2-5 6.5-5s5.9 1.7 6.5 5M16 4.8a3.5 3.5 0 0 1 0 6.4M18.2 14.9c1.8.7 3 2.3 3.3 4.6',
  person: 'M12 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM5 19.5c.7-3.3 3.5-5 7-5s6.3 1.7 7 5',
  react:
    'M19 9.8a8 8 0 1 1-6.3-6.3M8.3 14c.7 1.4 1.8 2 3.2 2s2.5-.6 3.2-2M8.8 9.8h.01M14 9.8h.01M19 2.5v5M16.5 5h5',
  reply: 'M9.5 6 4 11.5 9.5 17M4.5 11.5H14c3.5 0 6 2.5 6 6.5',
  retry: 'M20 11.5A8 8 0 0 0 5.5 7.3L4 9M4 4.5V9h4.5M4 12.5a8 8 0 0 0 14.5 4.2L20 15M20 19.5V15h-4.5',
  send: 'M12 19.5V5M5.5 11 12 4.5 18.5 11',
  server: 'M4 5h16v6H4zM4 13h16v6H4zM7.5 8h.01M7.5 16h.01',
  settings:
    'M4 7h8.5M17.5 7H20M4 17h2.5M11.5 17H20M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z',
  store:
    'M12 8.5c4.1 0 7.5-1.2 7.5-2.8S16.1 3 12 3 4.5 4.2 4.5 5.7 7.9 8.5 12 8.5ZM4.5 5.7v12.6c0 1.5 3.4 2.7 7.5 2.7s7.5-1.2 7.5-2.7V5.7M4.5 12c0 1.5 3.4 2.7 7.5 2.7s7.5-1.2 7.5-2.7',
};

export type IconName = keyof typeof paths | keyof typeof pictures | keyof typeof ofModerators;

/** Other icons are added by the code that needs them. */
export function addPictures(more: Record<string, string>): void {
  Object.assign(paths, more);
}

/** Icons that point along a line. They point the other way from right to left. */
const ALONG = /^(back|forth|enter|exit|reply|forward|outside|list|quote)$/;

/** A line drawing in the text colour. Screen readers ignore it, so a control needs another name. */
export function Icon({ name, size = '' }: { name: IconName; size?: '' | 's' }) {
  const kind = name === 'dots' ? 'dots' : ALONG.test(name) ? 'flip' : '';
  return (
    <svg class={`i ${size} ${kind}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={(paths as Partial<Record<IconName, string>>)[name]} />
    </svg>
  );
}

/** A button without visible words. `label` names it for screen readers and in the tooltip. */
export function IconButton(props: {
  name: IconName;
  label: string;
  press: MouseEventHandler<HTMLButtonElement>;
}) {
  return (
    <button type="button" class="icon" aria-label={props.label} onClick={props.press}>
      <Icon name={props.name} />
    </button>
  );
}
