/** The people of the design's pictures, and their messages. */

/** The pictures are of a Thursday; the pages' clock is set to it. */
export const now = Date.UTC(2026, 10, 19, 21);

/** `09:33` today, `-1 17:42` yesterday, `2026-11-12 10:00`. */
export function when(time: string): number {
  const [day, clock = day] = time.split(' ');
  const [hours, minutes] = (clock ?? '').split(':').map(Number);
  const at = ((hours ?? 0) * 60 + (minutes ?? 0)) * 60_000;
  if (day === clock) return Date.UTC(2026, 10, 19) + at;
  return (day?.startsWith('-') ? Date.UTC(2026, 10, 19 + Number(day)) : Date.parse(`${day}T00:00Z`)) + at;
}

interface PersonScript {
  readonly name: string;
  readonly hue: number;
  readonly firstname?: string;
  /** The beginning of the id, by which a user can be found too. */
  readonly id?: string;
  /** Connected while the pictures are made. */
  readonly here?: true;
}

const alice = { name: 'Alice Moreau', hue: 0, firstname: 'Alice' } as const;

export const people: Readonly<Record<string, PersonScript>> = {
  // A reader for each list of rooms that is shown.
  alice,
  busyAlice: alice,
  searchAlice: alice,
  shopAlice: alice,
  stateAlice: alice,
  phoneAlice: alice,
  bob: { name: 'Bob Keller', hue: 5, here: true },
  carol: { name: 'Carol Lindqvist', hue: 3, here: true },
  li: { name: '李伟', hue: 1, here: true },
  owen: { name: 'Owen Price', hue: 4, here: true },
  dimitri: { name: 'Dimitri Volkov', hue: 6, here: true },
  nadia: { name: 'Nadia Haddad', hue: 7, here: true },
  sofia: { name: 'Sofia Marin', hue: 2, here: true },
  marekHere: { name: 'Marek Nowak', hue: 5, here: true },
  // In pictures that show them as away.
  marek: { name: 'Marek Nowak', hue: 5 },
  awayDimitri: { name: 'Dimitri Volkov', hue: 6 },
  awayNadia: { name: 'Nadia Haddad', hue: 7 },
  awayOwen: { name: 'Owen Price', hue: 4 },
  awayLi: { name: '李伟', hue: 1 },
  ines: { name: 'Ines Duarte', hue: 3 },
  priya: { name: 'Priya Raman', hue: 6 },
  tom: { name: 'Tom Baker', hue: 1 },
  walter: { name: 'Walter Lang', hue: 0 },
  foundNadia: { name: 'Nadia Haddad', hue: 7, id: 'd' },
  carla: { name: 'Carla Ortiz', hue: 7 },
  yusuf: { name: 'يوسف', hue: 2 },
};

type Line = readonly [
  who: string,
  when: string,
  text: string,
  more?: {
    readonly reply?: number;
    readonly edited?: string;
  },
];

export interface RoomScript {
  /** It exists from the start, with that id. */
  readonly site?: string;
  readonly name: string;
  readonly kind: 'public' | 'private' | 'direct';
  readonly topic?: string;
  readonly owner: string;
  readonly members: readonly string[];
  readonly moderators?: readonly string[];
  /** How far they have read. */
  readonly read?: Readonly<Record<string, number>>;
  readonly muted?: readonly string[];
  readonly lines: readonly Line[];
}

/** Public rooms with the same visible name differ in invisible characters. */
let lobbies = 0;
const lobby = (name = 'lobby') => name + '\u2060'.repeat(lobbies++);

const forecast = 'The forecast for Saturday is here: https://weather.example/orchard-lane';
/** With the reader: as many as in the headers of the pictures. */
const seven = ['bob', 'carol', 'dimitri', 'li', 'nadia', 'owen'];

/** The first rooms of the lists in the pictures. `reader`: the owner of the list. */
function list(reader: string): Record<string, RoomScript> {
  const market: Line[] = Array.from({ length: 13 }, (_, n) => ['owen', `09:${10 + n}`, `Stall ${n + 1}`]);
  const garden: Line[] = Array.from({ length: 4 }, (_, n) => ['awayNadia', `-1 10:0${n}`, `Bed ${n + 1}`]);
  const direct = (other: string, lines: Line[], read = lines.length): RoomScript => ({
    name: '',
    kind: 'direct',
    owner: reader,
    members: [other],
    read: { [reader]: read },
    lines,
  });
  const all: Record<string, RoomScript> = {
    bob: direct('bob', [['bob', '09:31', 'I have the key with me']], 0),
    market: {
      name: 'spring market',
      kind: 'private',
      owner: 'owen',
      members: [reader],
      lines: [...market, ['owen', '09:28', '@Alice, stall 12 is free']],
    },
    announcements: {
      ...(reader === 'alice' ? { site: 'announcements' } : {}),
      name: lobby('announcements'),
      kind: 'public',
      owner: 'dimitri',
      members: [reader],
      lines: [
        ['dimitri', '08:54', 'Please read'],
        ['dimitri', '08:55', 'Water is off on Friday'],
      ],
    },
    carol: direct('carol', [[reader, '08:40', 'Thank you!']]),
    board: {
      name: 'board',
      kind: 'private',
      owner: reader,
      members: ['bob'],
      lines: [[reader, '-1 18:00', 'See you on Tuesday']],
    },
    garden: {
      name: lobby('garden-volunteers'),
      kind: 'public',
      owner: 'awayNadia',
      members: [reader],
      muted: [reader],
      lines: [...garden, ['awayNadia', '-1 11:00', 'Gloves, please']],
    },
    li: direct('awayLi', [['awayLi', '-3 12:00', '好的，明天见']]),
    nadia: direct('awayNadia', [[reader, '-4 12:00', 'Safe travels']]),
  };
  return Object.fromEntries(Object.entries(all).map(([key, room]) => [`${reader}/${key}`, room]));
}

/** The additional rooms of the list in `busy`, enough for a search field. */
function longList(reader: string): Record<string, RoomScript> {
  const room = (name: string, kind: 'public' | 'private', line: Line): RoomScript => ({
    name: kind === 'public' ? lobby(name) : name,
    kind,
    owner: line[0] === reader ? 'bob' : line[0],
    members: [reader],
    read: { [reader]: 1 },
    lines: [line],
  });
  const old = Array.from({ length: 11 }, (_, n) => [
    `${reader}/old-${n}`,
    room(`picking ${2010 + n}`, 'private', ['bob', `2026-10-${10 + n} 10:00`, 'Done']),
  ]);
  return {
    ...list(reader),
    [`${reader}/compost`]: room('compost', 'public', ['awayOwen', '2026-11-12 10:00', 'Turn the second bin']),
    [`${reader}/shed`]: room('tool shed', 'private', ['bob', '2026-11-09 10:00', 'New hinges are on']),
    [`${reader}/owen`]: {
      name: '',
      kind: 'direct',
      owner: reader,
      members: ['awayOwen'],
      read: { [reader]: 1 },
      lines: [['awayOwen', '2026-11-04 10:00', 'Photo']],
    },
    ...Object.fromEntries(old),
  };
}

/** The site of `desktop`, `mobile`, and the lists of `embedded` and `launcher-phone`. */
export const orchard: Readonly<Record<string, RoomScript>> = {
  ...list('alice'),
  lobby: {
    name: lobby(),
    kind: 'public',
    owner: 'alice',
    members: [...seven, 'ines', 'marek', 'priya'],
    moderators: ['bob', 'marek'],
    read: { alice: 8 },
    lines: [
      ['carol', '-1 17:42', 'The seed order arrived. Forty trays, all of them labelled this time.'],
      ['carol', '-1 17:43', 'I put them in the cold frame so nobody trips over them on the way in.'],
      ['alice', '-1 17:51', 'Thank you! I can pot on from nine tomorrow.'],
      ['bob', '09:04', 'Morning all. Gate is open, kettle is on.'],
      ['bob', '09:05', forecast],
      ['li', '09:12', '我十点到，带两箱育苗盆。'],
      [
        'alice',
        '09:20',
        'Perfect. I moved the workshop to 14:00 so it stays dry until the end.',
        { reply: 5, edited: '09:25' },
      ],
      ['alice', '09:21', 'Who has the key to the tool shed?'],
      ['carol', '09:33', 'Me, I will hang it back on the hook by the door.'],
      ['carol', '09:33', '👍'],
    ],
  },
};

const busyLines = (reader: string): Line[] => [
  ['bob', '09:04', 'Morning all. Gate is open, kettle is on.'],
  ['bob', '09:05', forecast],
  ['li', '09:12', '我十点到，带两箱育苗盆。'],
  [reader, '09:20', 'I moved the workshop to 14:00 so it stays dry until the end.', { edited: '09:25' }],
  [reader, '09:21', 'Who has the key to the tool shed?'],
  ['carol', '09:33', 'Me, I will hang it back on the hook by the door.'],
  ['carol', '09:33', '👍'],
];

/** A room of the boxes in `states`, `rooms` and `edge`, each with the content of one box. */
const box = (lines: Line[], more: Partial<RoomScript> = {}): RoomScript => ({
  name: lobby(),
  kind: 'public',
  owner: 'stateAlice',
  members: seven,
  read: { stateAlice: lines.length },
  lines,
  ...more,
});

const orderHelp: Line[] = [
  ['shopAlice', '11:02', 'My oak planter has one short leg.'],
  ['sofia', '11:03', 'Sorry about that. I can send a new leg or take the planter back.'],
  ['sofia', '11:03', 'Which would you like?'],
  ['shopAlice', '11:05', 'A new leg is fine, thanks.'],
];

/** The site of all other pictures. */
export const market: Readonly<Record<string, RoomScript>> = {
  ...longList('busyAlice'),
  busy: {
    name: lobby(),
    kind: 'public',
    topic: 'Everything about the orchard, open to all',
    owner: 'busyAlice',
    members: [
      ...['bob', 'carol', 'li', 'owen'],
      ...['awayDimitri', 'ines', 'marek', 'awayNadia', 'priya', 'tom', 'walter'],
    ],
    moderators: ['bob', 'marek'],
    read: { busyAlice: 5 },
    lines: busyLines('busyAlice'),
  },
  'search/lobby': {
    name: lobby(),
    kind: 'public',
    owner: 'searchAlice',
    members: ['carol', 'bob', 'foundNadia', 'dimitri', 'owen', 'li', 'marekHere', 'carla'],
    read: { searchAlice: 2 },
    lines: [
      ['carol', '2026-11-03 10:00', 'New lock on the shed. Ask me for a key.'],
      ['searchAlice', '09:21', 'Who has the key to the tool shed?'],
    ],
  },
  'search/bob': {
    name: '',
    kind: 'direct',
    owner: 'searchAlice',
    members: ['bob'],
    read: { searchAlice: 1 },
    lines: [['bob', '09:31', 'I have the key with me']],
  },
  'search/shed': {
    name: 'tool shed',
    kind: 'private',
    owner: 'bob',
    members: ['searchAlice'],
    read: { searchAlice: 1 },
    lines: [
      [
        'bob',
        '2026-11-09 10:00',
        'New hinges are on. The key hangs on the hook by the door, as always, and the spare one is with Carol.',
      ],
    ],
  },
  sofia: {
    name: '',
    kind: 'direct',
    owner: 'shopAlice',
    members: ['sofia'],
    read: { shopAlice: 4, sofia: 3 },
    lines: orderHelp,
  },
  news: {
    name: 'news',
    kind: 'private',
    owner: 'sofia',
    members: ['shopAlice'],
    lines: [
      ['sofia', '08:00', 'One'],
      ['sofia', '08:01', 'Two'],
      ['sofia', '08:02', 'Three'],
    ],
  },
  own: box([['stateAlice', '10:02', 'Sent, in a room with many readers.']]),
  ...list('phoneAlice'),
  phone: {
    name: lobby(),
    kind: 'public',
    owner: 'phoneAlice',
    members: seven,
    read: { phoneAlice: 5 },
    lines: [
      ['bob', '-1 09:04', 'Morning all. Gate is open, kettle is on.'],
      ['bob', '-1 09:05', forecast],
      ['li', '-1 09:12', '我十点到，带两箱育苗盆。'],
      [
        'phoneAlice',
        '-1 09:20',
        'Perfect. I moved the workshop to 14:00 so it stays dry until the end.',
        { reply: 2, edited: '09:25' },
      ],
      ['phoneAlice', '-1 09:21', 'Who has the key to the tool shed?'],
      ['carol', '-1 09:33', 'Me, I will hang it back on the hook by the door.'],
      ['carol', '-1 09:33', '👍'],
      ['dimitri', '-1 09:40', 'Can someone bring the long hose? The short one doesn’t reach the back beds.'],
      ['dimitri', '-1 09:41', 'Otherwise I will drive by the store at noon.'],
    ],
  },
  arabic: box(
    [
      ['yusuf', '10:22', 'سأكون هناك الساعة 4 مع Bob.'],
      ['yusuf', '10:22', 'See you at the gate, and bring gloves.'],
      ['stateAlice', '10:24', 'شكرا، إلى اللقاء.', { reply: 1 }],
    ],
    { name: 'الحديقة', members: ['yusuf', 'bob', 'carol', 'dimitri', 'li', 'nadia'] },
  ),
};
