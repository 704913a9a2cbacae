/** Random access to the bytes of a file. */
export interface Bytes {
  size: number;
  /** Returns fewer bytes at the end of the file. */
  read(at: number, length: number): Promise<Buffer>;
}

/** What the container of sound or video states about it. */
export interface Media {
  /** In ms. Absent if the container does not state it. */
  duration?: number;
  /** The displayed size in pixels. Absent for sound. */
  shown?: { width: number; height: number };
}

/** Maximum elements of a container that are read. An hour of video has a few hundred thousand. */
const mostParts = 500_000;
/** Size of the read-ahead in bytes, because most elements are small. */
const window = 64 * 1024;
/** Maximum duration in milliseconds. A longer duration is wrong or useless, so it is ignored. */
const longest = 7 * 24 * 60 * 60 * 1000;
const mostSide = 20_000;

/**
 * Reads the container of sound or video that browsers play. A video without a picture gets the type of sound.
 *
 * @param found the type by the first bytes of the file
 * @returns only `type` if the file is of another type, or a QuickTime file with codecs that not all browsers play; null
 * if it has no sound or video
 */
export async function readMedia(
  found: string,
  bytes: Bytes,
): Promise<{ type: string; media?: Media } | null> {
  const known = sameAs[found] ?? found;
  const read = containers[known];
  if (read === undefined) return { type: known };
  const tracks = await read(bytes);
  if (tracks === null) return null;
  const { duration, width, height } = tracks;
  const isQuickTime = known === 'video/quicktime';
  const { codecs = [] } = tracks;
  // A track without a codec is damaged.
  if (isQuickTime && (codecs.length === 0 || codecs.includes(''))) return null;
  if (isQuickTime && !codecs.every((codec) => playable.has(codec))) return { type: known };
  const type = isQuickTime ? 'video/mp4' : known;
  const hasPicture = tracks.video && isSide(width) && isSide(height);
  if (!tracks.audio && !hasPicture) return null;
  return {
    type: hasPicture ? type.replace('audio/', 'video/') : type.replace('video/', 'audio/'),
    media: {
      duration: isDuration(duration) ? Math.max(1, Math.round(duration)) : undefined,
      shown: hasPicture ? { width: Math.round(width), height: Math.round(height) } : undefined,
    },
  };
}

/** Other names of the same types. */
const sameAs: Record<string, string> = {
  'audio/ogg; codecs=opus': 'audio/ogg',
  'audio/x-m4a': 'audio/mp4',
  'audio/vnd.wave': 'audio/wav',
};

interface Tracks {
  audio: boolean;
  video: boolean;
  /** In ms; 0 if unknown. */
  duration: number;
  width: number;
  height: number;
  /** The codecs of sound and video. Only for MP4 and QuickTime. */
  codecs?: readonly string[];
}

const containers: Record<string, (bytes: Bytes) => Promise<Tracks | null>> = {
  'video/webm': webm,
  'video/mp4': mp4,
  'video/quicktime': mp4,
  'audio/mp4': mp4,
  'audio/wav': wav,
  'audio/ogg': ogg,
  'audio/mpeg': mp3,
};

const isSide = (pixels: number) => pixels >= 1 && pixels <= mostSide;
const isDuration = (ms: number) => ms > 0 && ms <= longest;

/** Adds reading ahead, because elements are read in sequence. */
export function windowed({ size, read }: Bytes): Bytes {
  let from = 0;
  let ahead: Buffer = Buffer.alloc(0);
  return {
    size,
    async read(at, length) {
      if (at < from || at + length > from + ahead.length) {
        ahead = await read(at, Math.max(length, window));
        from = at;
      }
      return ahead.subarray(at - from, at - from + length);
    },
  };
}

/** The IDs of elements of a WebM. The content of the elements in `entered` consists of elements. */
const element = {
  segment: 0x18538067,
  cluster: 0x1f43b675,
  blockGroup: 0xa0,
  info: 0x1549a966,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  video: 0xe0,
  scale: 0x2ad7b1,
  duration: 0x4489,
  trackType: 0x83,
  width: 0xb0,
  height: 0xba,
  shownWidth: 0x54b0,
  shownHeight: 0x54ba,
  time: 0xe7,
  simpleBlock: 0xa3,
  block: 0xa1,
  blockDuration: 0x9b,
} as const;
const entered: ReadonlySet<number> = new Set([
  element.segment,
  element.cluster,
  element.blockGroup,
  element.info,
  element.tracks,
  element.trackEntry,
  element.video,
]);

/**
 * Reads a WebM. The header of a browser's recording lacks the duration, so the last block determines it. Recordings
 * also contain elements of unknown length. They need no special case, because the content of an entered element is read
 * next anyway.
 */
async function webm(bytes: Bytes): Promise<Tracks | null> {
  const tracks = { audio: false, video: false, duration: 0, width: 0, height: 0 };
  let scale = 1_000_000;
  let stated = 0;
  let cluster = 0;
  let last = 0;
  let shownWidth = 0;
  let shownHeight = 0;
  let at = 0;
  for (let parts = 0; at < bytes.size; parts++) {
    const head = await bytes.read(at, 12);
    const id = variable(head, 0, false);
    const length = id && variable(head, id.bytes, true);
    if (id === null || length === null || parts > mostParts) break;
    at += id.bytes + length.bytes;
    if (id.value === element.cluster && stated > 0) break;
    if (entered.has(id.value)) continue;
    // In a complete WebM, only the elements in `entered` can have an unknown length.
    if (length.value === Infinity) break;
    const content = async () => (length.value > 8 ? Buffer.alloc(0) : bytes.read(at, length.value));
    if (id.value === element.scale) scale = unsigned(await content());
    else if (id.value === element.duration) stated = float(await content());
    else if (id.value === element.trackType) {
      const kind = unsigned(await content());
      if (kind === 1) tracks.video = true;
      if (kind === 2) tracks.audio = true;
    } else if (id.value === element.width) tracks.width = unsigned(await content());
    else if (id.value === element.height) tracks.height = unsigned(await content());
    else if (id.value === element.shownWidth) shownWidth = unsigned(await content());
    else if (id.value === element.shownHeight) shownHeight = unsigned(await content());
    else if (id.value === element.time) cluster = unsigned(await content());
    else if (id.value === element.blockDuration) last += unsigned(await content());
    else if (id.value === element.simpleBlock || id.value === element.block) {
      const start = await bytes.read(at, 12);
      const track = variable(start, 0, true);
      if (track !== null && start.length >= track.bytes + 2)
        last = Math.max(last, cluster + start.readInt16BE(track.bytes));
    }
    at += length.value;
  }
  if (shownWidth > 0 && shownHeight > 0) {
    tracks.width = shownWidth;
    tracks.height = shownHeight;
  }
  tracks.duration = ((stated || last) * scale) / 1_000_000;
  return tracks;
}

/**
 * Reads a number whose first bits give its size. `value` is `Infinity` for an unknown length, which has all bits set.
 * Null if the bytes are incomplete.
 */
function variable(head: Buffer, at: number, isLength: boolean): { bytes: number; value: number } | null {
  const first = head[at] ?? 0;
  const bytes = Math.clz32(first) - 23;
  if (first === 0 || head.length < at + bytes) return null;
  const rest = head.subarray(at + 1, at + bytes);
  const bits = first & (0xff >> bytes);
  if (isLength && bits === 0xff >> bytes && rest.every((byte) => byte === 0xff))
    return { bytes, value: Infinity };
  return { bytes, value: unsigned(rest, isLength ? bits : first) };
}

function unsigned(content: Buffer, first = 0): number {
  let value = first;
  for (const byte of content) value = value * 256 + byte;
  return value;
}

function float(content: Buffer): number {
  if (content.length === 4) return content.readFloatBE();
  return content.length === 8 ? content.readDoubleBE() : 0;
}

interface Mp4Track {
  /** The handler type: `soun`, `vide`, or others. */
  kind: string;
  /** The format of the first sample description, such as `avc1`. */
  codec: string;
  /** Units per second. */
  scale: number;
  width: number;
  height: number;
}

const mp4Entered: ReadonlySet<string> = new Set([
  'moov',
  'trak',
  'mdia',
  'minf',
  'stbl',
  'mvex',
  'moof',
  'traf',
]);

/**
 * The codecs that every browser plays. A QuickTime file with them plays if it is sent as MP4, because it has the same
 * structure.
 */
const playable: ReadonlySet<string> = new Set(['avc1', 'avc3', 'mp4a']);

/** Reads an MP4. A recording consists of fragments. If it states no duration, the end of the last fragment counts. */
async function mp4(bytes: Bytes): Promise<Tracks> {
  const tracks = new Map<number, Mp4Track>();
  const lengths = new Map<number, number>();
  const defaults = new Map<number, number>();
  let scale = 0;
  let stated = 0;
  let track: Mp4Track = { kind: '', codec: '', scale: 0, width: 0, height: 0 };
  let fragmentOf = 0;
  let each = 0;
  let end = 0;
  let at = 0;
  for (let parts = 0; at + 8 <= bytes.size && parts < mostParts; parts++) {
    const head = await bytes.read(at, 16);
    if (head.length < 8) break;
    const name = head.toString('latin1', 4, 8);
    let length = head.readUInt32BE(0);
    let offset = 8;
    if (length === 1 && head.length === 16) {
      length = Number(head.readBigUInt64BE(8));
      offset = 16;
    } else if (length === 0) length = bytes.size - at;
    if (length < offset) break;
    if (mp4Entered.has(name)) {
      at += offset;
      continue;
    }
    const box = (most: number) => bytes.read(at + offset, Math.min(most, length - offset));
    if (name === 'mvhd') ({ scale, duration: stated } = times(await box(32)));
    else if (name === 'mehd') {
      const content = await box(12);
      const long = content[0] === 1;
      if (content.length >= (long ? 12 : 8) && stated === 0)
        stated = long ? Number(content.readBigUInt64BE(4)) : content.readUInt32BE(4);
    } else if (name === 'tkhd') {
      const content = await box(104);
      const long = content[0] === 1 ? 12 : 0;
      if (content.length < 84 + long) break;
      track = { kind: '', codec: '', scale: 0, width: 0, height: 0 };
      tracks.set(content.readUInt32BE(long ? 20 : 12), track);
      const sides = [content.readUInt32BE(76 + long) / 65_536, content.readUInt32BE(80 + long) / 65_536];
      // The first number of the matrix is 0 if the video is rotated by 90 degrees.
      if (content.readInt32BE(40 + long) === 0) sides.reverse();
      [track.width = 0, track.height = 0] = sides;
    } else if (name === 'mdhd') track.scale = times(await box(32)).scale;
    else if (name === 'stsd') track.codec = (await box(16)).toString('latin1', 12, 16);
    else if (name === 'hdlr' && track.kind === '') track.kind = (await box(12)).toString('latin1', 8, 12);
    else if (name === 'trex') {
      const content = await box(24);
      if (content.length === 24) defaults.set(content.readUInt32BE(4), content.readUInt32BE(12));
    } else if (name === 'tfhd') {
      const content = await box(24);
      if (content.length < 8) break;
      const flags = content.readUInt32BE(0);
      fragmentOf = content.readUInt32BE(4);
      end = lengths.get(fragmentOf) ?? 0;
      const place = 8 + (flags & 1 ? 8 : 0) + (flags & 2 ? 4 : 0);
      each =
        flags & 8 && content.length >= place + 4
          ? content.readUInt32BE(place)
          : (defaults.get(fragmentOf) ?? 0);
    } else if (name === 'tfdt') {
      const content = await box(12);
      const long = content[0] === 1;
      if (content.length >= (long ? 12 : 8))
        end = long ? Number(content.readBigUInt64BE(4)) : content.readUInt32BE(4);
    } else if (name === 'trun') {
      end += lengthOfRun(await box(mostParts * 4), each);
      lengths.set(fragmentOf, Math.max(end, lengths.get(fragmentOf) ?? 0));
    }
    at += length;
  }
  const found = [...tracks.values()];
  const video = found.find(({ kind }) => kind === 'vide');
  const ofFragments = [...lengths].map(([id, length]) => length / (tracks.get(id)?.scale || Infinity));
  return {
    codecs: found.filter(({ kind }) => kind === 'vide' || kind === 'soun').map(({ codec }) => codec),
    audio: found.some(({ kind }) => kind === 'soun'),
    video: video !== undefined,
    duration: stated > 0 ? (stated / (scale || Infinity)) * 1000 : Math.max(0, ...ofFragments) * 1000,
    width: video?.width ?? 0,
    height: video?.height ?? 0,
  };
}

/** Reads the units per second, and the duration in these units. */
function times(content: Buffer): { scale: number; duration: number } {
  const long = content[0] === 1;
  if (content.length < (long ? 32 : 20)) return { scale: 0, duration: 0 };
  const duration = long ? Number(content.readBigUInt64BE(24)) : content.readUInt32BE(16);
  // An unknown duration has all bits set.
  const isKnown = duration < (long ? 2 ** 63 : 0xffffffff);
  return { scale: content.readUInt32BE(long ? 20 : 12), duration: isKnown ? duration : 0 };
}

/** Returns the duration of the samples in a `trun` box. @param each the default duration of a sample */
function lengthOfRun(content: Buffer, each: number): number {
  if (content.length < 8) return 0;
  const flags = content.readUInt32BE(0);
  const count = content.readUInt32BE(4);
  if (!(flags & 0x100)) return count * each;
  const first = 8 + (flags & 1 ? 4 : 0) + (flags & 4 ? 4 : 0);
  const step = [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag).length * 4;
  let sum = 0;
  for (let n = 0, at = first; n < count && at + 4 <= content.length; n++, at += step)
    sum += content.readUInt32BE(at);
  return sum;
}

async function wav(bytes: Bytes): Promise<Tracks | null> {
  let rate = 0;
  for (let at = 12, parts = 0; at + 8 <= bytes.size && parts < mostParts; parts++) {
    const head = await bytes.read(at, 20);
    if (head.length < 8) break;
    const name = head.toString('latin1', 0, 4);
    const length = head.readUInt32LE(4);
    if (name === 'fmt ' && head.length === 20) rate = head.readUInt32LE(16);
    if (name === 'data' && rate > 0) return soundOf((Math.min(length, bytes.size - at - 8) / rate) * 1000);
    at += 8 + length + (length % 2);
  }
  return null;
}

/** Reads an Ogg. Its last page contains the number of samples. */
async function ogg(bytes: Bytes): Promise<Tracks | null> {
  const start = (await bytes.read(0, 64)).toString('latin1');
  const vorbis = start.indexOf('\u0001vorbis');
  const rate = start.includes('OpusHead')
    ? 48_000
    : vorbis > 0
      ? (await bytes.read(vorbis + 12, 4)).readUInt32LE()
      : 0;
  const from = Math.max(0, bytes.size - window);
  const end = await bytes.read(from, window);
  const page = end.lastIndexOf('OggS');
  const samples = page >= 0 && page + 14 <= end.length ? Number(end.readBigInt64LE(page + 6)) : 0;
  return soundOf((samples / (rate || Infinity)) * 1000);
}

/** Bit rates of MPEG 1 and MPEG 2 in layer 3, in kbit/s, by the index in the frame header, which starts at 1. */
const rates = [
  [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/** Reads an MP3. Its first frame contains the number of frames, or at least a bit rate. */
async function mp3(bytes: Bytes): Promise<Tracks | null> {
  const tag = await bytes.read(0, 10);
  const size = [...tag.subarray(6)].reduce((sum, byte) => sum * 128 + (byte & 127), 0);
  const start = tag.toString('latin1', 0, 3) === 'ID3' ? 10 + size : 0;
  const part = await bytes.read(start, window);
  for (let at = 0; at + 4 <= part.length; at++) {
    const head = part.readUInt32BE(at);
    const version = (head >>> 19) & 3;
    const frequency = [44_100, 48_000, 32_000][(head >>> 10) & 3];
    const rate = rates[version === 3 ? 0 : 1]?.[((head >>> 12) & 15) - 1];
    if (head >>> 21 !== 0x7ff || version === 1 || frequency === undefined) continue;
    // `rates` does not apply to other layers, so the duration stays unknown.
    if (((head >>> 17) & 3) !== 1) return soundOf(0);
    if (rate === undefined) continue;
    const first = part.subarray(at, at + 200);
    const place = Math.max(first.indexOf('Xing'), first.indexOf('Info'));
    const frames = place > 0 && first.length >= place + 12 && first.readUInt32BE(place + 4) & 1;
    const samples = version === 3 ? 1152 : 576;
    const hertz = version === 3 ? frequency : frequency / (version === 2 ? 2 : 4);
    if (frames) return soundOf((first.readUInt32BE(place + 8) * samples * 1000) / hertz);
    return soundOf(((bytes.size - start - at) * 8) / rate);
  }
  return null;
}

const soundOf = (duration: number): Tracks => ({ audio: true, video: false, duration, width: 0, height: 0 });
