import { createHmac } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { ErasableList, Erasure } from '../erasure.ts';
import {
  acted,
  type Ban,
  isNamed,
  type MemberRecord,
  type StoredFile,
  type StoredMessage,
  type StoredReport,
  type UserRecord,
} from '../history.ts';
import {
  erasureColumns,
  erasureFrom,
  erasureRow,
  fileColumns,
  fileFrom,
  fileStates,
  filesColumn,
  gone,
  goneRooms,
  memberColumns,
  memberFrom,
  mentioned,
  mentionsJson,
  messageFrom,
  type Reacted,
  type Row,
  reactedFrom,
  reportColumns,
  reportFrom,
  reportRow,
  restrictedOf,
  richOf,
  roomColumns,
  roomFrom,
  sameMentions,
  userFrom,
  withNames,
} from '../rows.ts';
import { findKeys, memberKey, nameKey } from '../text-keys.ts';
import type { MessageRow, RoomRow, Work } from '../work.ts';
import { columns } from './columns.ts';
import { erasables } from './erasing.ts';

/** Most messages, and bytes of their texts and rows of reactions, that one step deletes. */
const purgeMessages = 500;
const purgeBytes = 256 * 1024;
/** No step is taken while more deleted texts than this are still in the index for searching. */
const mostTextsWaiting = 50;

/** Of a room, what is still to be deleted: its messages up to `upTo`. */
interface RoomToPurge {
  num: number;
  upTo: number;
  /** The room goes, too. */
  isDeleted: boolean;
}

interface CachedRoom {
  num: number;
  row: RoomRow;
  /** Only its numbers differ from what is in the table. */
  dirty: boolean;
}

interface CachedMember {
  room: number;
  user: string;
  row: MemberRecord;
  dirty: boolean;
}

/**
 * The transaction of one batch in SQLite. What nearly every message changes (the numbers of its room, how far its
 * sender has read) is written once at the end of the batch, however many messages it holds; all else at once.
 */
export class SqliteWork implements Work {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #digestKey: Uint8Array;
  readonly #erasable: Work['erasable'];
  #nextMessage: number;
  #rooms = new Map<string, CachedRoom>();
  #members = new Map<string, CachedMember>();
  #users = new Map<string, UserRecord | undefined>();

  constructor(db: DatabaseSync) {
    this.#statements = prepare(db);
    this.#erasable = erasables(db);
    this.#nextMessage = db
      .prepare('SELECT max(num, (SELECT coalesce(max(num), 0) + 1 FROM messages)) AS num FROM next_message')
      .get()?.num as number;
    this.#digestKey = db.prepare('SELECT key FROM digest_key').get()?.key as Uint8Array;
  }

  /** Forgets what the last batch has read. */
  begin(): void {
    this.#rooms.clear();
    this.#members.clear();
    this.#users.clear();
  }

  /** Writes what was left for the end. To be called before the commit. */
  finish(): void {
    const { updateNumbers, updateRead } = this.#statements;
    for (const { num, row, dirty } of this.#rooms.values()) {
      if (dirty) updateNumbers.run(row.head, row.lastSeq, num);
    }
    for (const { room, user, row, dirty } of this.#members.values()) {
      if (dirty) updateRead.run(row.readSeq, row.acted, row.wroteAt ?? null, user, room);
    }
  }

  room(id: string): RoomRow | undefined {
    return this.#room(id)?.row;
  }

  lastMessage(room: string): StoredMessage | undefined {
    const known = this.#room(room);
    return known && this.message(room, known.row.lastSeq);
  }

  publicRoomNamed(key: string): string | undefined {
    return this.#statements.roomByName.get(key)?.id as string | undefined;
  }

  roomOfPair([low, high]: readonly [string, string]): RoomRow | undefined {
    return this.#roomOf(this.#statements.roomByPair.get(low, high));
  }

  roomMadeBy(user: string, clientId: string): RoomRow | undefined {
    return this.#roomOf(this.#statements.roomByMaker.get(user, clientId));
  }

  countRoomsMadeBy(user: string): number {
    return this.#statements.countMadeBy.get(user)?.rooms as number;
  }

  putRoom(row: RoomRow): void {
    const known = this.#room(row.id);
    if (known === undefined) {
      const { lastInsertRowid } = this.#statements.insertRoom.run(
        row.id,
        row.kind,
        row.name,
        nameKey(row.name),
        row.topic ?? null,
        row.head,
        row.lastSeq,
        row.access,
        row.members,
        row.createdAt,
        row.createdBy ?? null,
        row.clientId ?? null,
        row.pair?.[0] ?? null,
        row.pair?.[1] ?? null,
        row.emptySince ?? null,
        row.write ?? null,
        row.slow ?? null,
        row.reports ?? null,
      );
      this.#rooms.set(row.id, { num: Number(lastInsertRowid), row, dirty: false });
      return;
    }
    const before = known.row;
    known.row = row;
    if (isSameBut(['head', 'lastSeq'], before, row)) known.dirty = true;
    else {
      known.dirty = false;
      this.#statements.updateRoom.run(
        row.name,
        nameKey(row.name),
        row.topic ?? null,
        row.head,
        row.lastSeq,
        row.access,
        row.members,
        row.emptySince ?? null,
        row.write ?? null,
        row.slow ?? null,
        row.reports ?? null,
        row.reset ?? null,
        row.pair?.[0] ?? null,
        row.pair?.[1] ?? null,
        row.createdBy ?? null,
        row.clientId ?? null,
        known.num,
      );
      if (before.firstSeq !== row.firstSeq) this.#statements.expire.run(row.firstSeq, known.num);
    }
  }

  deleteRoom(id: string): void {
    const known = this.#room(id);
    if (known === undefined) return;
    this.#statements.keepNumbers.run(this.#nextMessage);
    this.#statements.deleteMembers.run(known.num);
    this.#statements.deleteReports.run(known.num);
    this.#statements.retireRoom.run(`${gone}${known.num}`, known.num);
    this.#rooms.delete(id);
    for (const [key, { room }] of this.#members) if (room === known.num) this.#members.delete(key);
  }

  /** A room of which something is to be deleted: all of it, or the messages that are too old. */
  roomToPurge(): RoomToPurge | undefined {
    const deleted = this.#statements.goneRoom.get();
    const row = deleted ?? this.#statements.expiredRoom.get();
    return (
      row && {
        num: row.num as number,
        upTo: deleted === undefined ? (row.first_seq as number) - 1 : Number.MAX_SAFE_INTEGER,
        isDeleted: deleted !== undefined,
      }
    );
  }

  /** Whether the index for searching has followed so far that the next messages may go. */
  indexFollows(): boolean {
    return (this.#statements.textsWaiting.get()?.texts as number) <= mostTextsWaiting;
  }

  /** Deletes the next messages of such a room, or a deleted room itself when none is left. */
  purge({ num, upTo: last, isDeleted }: RoomToPurge): void {
    let bytes = 0;
    let upTo = -1;
    for (const { seq, size } of this.#statements.sizes.iterate(num, last, purgeMessages)) {
      upTo = seq as number;
      bytes += size as number;
      if (bytes > purgeBytes) break;
    }
    if (upTo !== -1) {
      this.#statements.keepNumbers.run(this.#nextMessage);
      this.#statements.roomTexts.run(num, upTo);
      this.#statements.dropFilesUpTo.run(num, upTo);
      this.#statements.deleteMessages.run(num, upTo);
    } else if (isDeleted) {
      // Whatever has not been deleted yet: another room may get the number.
      this.#statements.dropFilesOf.run(num);
      this.#statements.deleteRoom.run(num);
    } else this.#statements.expired.run(num);
  }

  emptyRooms(before: number, most: number): RoomRow[] {
    return this.#statements.emptyRooms.all(before, most).flatMap((row) => this.#roomOf(row) ?? []);
  }

  member(room: string, user: string): MemberRecord | undefined {
    return this.#member(room, user)?.row;
  }

  hasBeenMember(room: string, user: string): boolean {
    return this.#statements.hasBeenMember.get(user, this.#num(room)) !== undefined;
  }

  successor(room: string, except: string): string | undefined {
    return this.#statements.successor.get(this.#num(room), except)?.user_id as string | undefined;
  }

  owner(room: string): string | undefined {
    return this.#statements.owner.get(this.#num(room))?.user_id as string | undefined;
  }

  sessionRooms(user: string): string[] {
    return this.#statements.sessionRooms.all(user).map(({ id }) => id as string);
  }

  endedRestrictions(before: number, most: number): { room: string; user: string }[] {
    const rows = this.#statements.endedRestrictions.all(before, most);
    return rows.map(({ room, user }) => ({ room: room as string, user: user as string }));
  }

  putMember(room: string, user: string, row: MemberRecord, since?: number): void {
    const num = this.#num(room);
    const known = this.#member(room, user);
    if (
      known !== undefined &&
      since === undefined &&
      // The list of members sorts by it.
      known.row.acted > acted.never === row.acted > acted.never &&
      isSameBut(['readSeq', 'acted', 'wroteAt'], known.row, row)
    ) {
      known.row = row;
      known.dirty = true;
      return;
    }
    const named = this.user(user);
    this.#statements.putMember.run(
      user,
      num,
      row.sources,
      row.role,
      row.readSeq,
      row.notify ?? null,
      row.acted,
      row.wroteAt ?? null,
      row.held ?? null,
      ...restrictedOf(row),
      since ?? 0,
      memberKey(named ?? { id: user, name: user }, isNamed(named, row)),
      since === undefined ? 0 : 1,
      row.left ? 1 : 0,
    );
    this.#members.set(`${num} ${user}`, { room: num, user, row, dirty: false });
  }

  user(id: string): UserRecord | undefined {
    // Each message looks twice: whether its sender has another name now, and whether he has acted in public.
    if (this.#users.has(id)) return this.#users.get(id);
    const row = this.#statements.user.get(id);
    const user = row && userFrom(row);
    this.#users.set(id, user);
    return user;
  }

  putUser(user: UserRecord): void {
    const { id, name, actedPublic, siteRole } = user;
    const before = this.user(id);
    this.#users.set(id, user);
    this.#statements.putUser.run(id, name, actedPublic ? 1 : 0, siteRole ?? null);
    if (before?.name === name && before.actedPublic === actedPublic) return;
    this.#statements.sortShown.run(memberKey(user, true), id, actedPublic ? acted.never : acted.joined);
    if (before?.name === name) return;
    // By all of the key: the table has no index by users.
    if (before !== undefined) for (const key of findKeys(before)) this.#statements.deleteKey.run(key, id);
    for (const key of findKeys({ id, name })) this.#statements.insertKey.run(key, id);
  }

  putBan(user: string, ban: Ban | null): void {
    if (ban === null) this.#statements.deleteBan.run(user);
    else this.#statements.putBan.run(user, ban.until ?? null, ban.reason ?? null);
  }

  report(id: string): StoredReport | undefined {
    const row = this.#statements.report.get(id);
    return row && reportFrom(row, row.room_id as string);
  }

  reportOf(room: string, seq: number, user: string): StoredReport | undefined {
    const row = this.#statements.reportOf.get(this.#num(room), seq, user);
    return row && reportFrom(row, room);
  }

  openReports(room: string, from: number): number {
    return this.#statements.openReports.get(this.#num(room), from)?.open as number;
  }

  putReport(report: StoredReport): void {
    this.#statements.putReport.run(this.#num(report.room), ...reportRow(report));
  }

  hasBlocked(user: string, other: string): boolean {
    return this.#statements.hasBlocked.get(user, other) !== undefined;
  }

  countBlocked(user: string): number {
    return this.#statements.countBlocked.get(user)?.others as number;
  }

  putBlocked(user: string, other: string, since: number | null): void {
    if (since === null) this.#statements.deleteBlocked.run(user, other);
    else this.#statements.putBlocked.run(user, other, since);
  }

  message(room: string, seq: number): StoredMessage | undefined {
    const row = this.#statements.message.get(this.#num(room), seq);
    return row && this.#message(row, room);
  }

  messageByClientId(room: string, user: string, clientId: string): MessageRow | undefined {
    const row = this.#statements.messageByClientId.get(this.#num(room), user, clientId);
    return row && { message: this.#message(row, room), digest: hex(row.digest as Uint8Array) };
  }

  insertMessage({ message, digest }: MessageRow): void {
    const num = this.#num(message.room);
    this.#statements.insertMessage.run(
      this.#nextMessage++,
      num,
      message.seq,
      message.rev,
      message.id,
      message.clientId,
      message.user.id,
      message.user.name,
      message.text,
      message.sentAt,
      message.replyTo ?? null,
      filesColumn(message),
      mentionsJson(message),
      Buffer.from(digest, 'hex'),
    );
    this.#insertMentions(num, message);
  }

  updateMessage(message: StoredMessage, before: StoredMessage): void {
    const room = this.#num(message.room);
    const num = this.#messageNum(message.room, message.seq);
    if (message.text !== before.text) this.#statements.formerText.run(num, room, message.seq, before.text);
    this.#statements.updateMessage.run(
      message.rev,
      message.text,
      message.editedAt ?? null,
      message.deletedAt ?? null,
      message.deletedBy ?? null,
      filesColumn(message),
      mentionsJson(message),
      num,
    );
    if (!sameMentions(message.mentions, before.mentions)) {
      this.#statements.deleteMentions.run(room, message.seq);
      this.#insertMentions(room, message);
    }
    if (message.deletedAt !== undefined && before.deletedAt === undefined) {
      this.#statements.deleteReactions.run(num);
      this.#statements.setRich.run(message.rev, null, num);
    }
  }

  #insertMentions(room: number, { seq, mentions }: StoredMessage): void {
    for (const user of mentioned(mentions)) this.#statements.insertMention.run(room, user, seq);
  }

  reacted(room: string, seq: number): Reacted | undefined {
    const row = this.#statements.rich.get(this.#num(room), seq);
    return row && reactedFrom(row);
  }

  hasReaction(room: string, seq: number, emoji: string, user: string): boolean {
    return this.#statements.reaction.get(this.#messageNum(room, seq), emoji, user) !== undefined;
  }

  reactors(room: string, seq: number, emoji: string, most: number): string[] {
    const rows = this.#statements.reactors.all(this.#messageNum(room, seq), emoji, most);
    return rows.map((row) => row.user_id as string);
  }

  putReaction(room: string, seq: number, emoji: string, user: string, place: number | null): void {
    const num = this.#messageNum(room, seq);
    if (place === null) this.#statements.deleteReaction.run(num, emoji, user);
    else this.#statements.insertReaction.run(num, emoji, user, place);
  }

  putReacted(message: StoredMessage, reacted: Reacted): void {
    const num = this.#messageNum(message.room, message.seq);
    this.#statements.setRich.run(message.rev, richOf(message, reacted), num);
  }

  file(room: string, id: string): StoredFile | undefined {
    const row = this.#statements.file.get(id, this.#num(room));
    return row && fileFrom(row);
  }

  insertFile(room: string, { id, user, state, seq, at, about }: StoredFile): void {
    const row = [id, this.#num(room), user, seq ?? null, fileStates[state], at, JSON.stringify(about)];
    this.#statements.insertFile.run(...row);
  }

  putFile(_room: string, { id, state, seq, at }: StoredFile): void {
    this.#statements.updateFile.run(fileStates[state], seq ?? null, at, id);
  }

  doomedFiles(before: number, most: number): string[] {
    const { doomedFiles } = this.#statements;
    return doomedFiles.all(before, most).map(({ id }) => id as string);
  }

  dropFile(id: string): void {
    this.#statements.dropFile.run(id);
  }

  forgetFile(id: string): void {
    this.#statements.deleteFile.run(id);
  }

  erasureOf(user: string): Erasure | undefined {
    const row = this.#statements.erasure.get(user);
    return row && erasureFrom(row);
  }

  openErasure(by: string, at: number): Erasure | undefined {
    const { heldErasure, leftErasure, newErasure } = this.#statements;
    const row = heldErasure.get(by) ?? leftErasure.get(at) ?? newErasure.get();
    return row && erasureFrom(row);
  }

  putErasure(erasure: Erasure): void {
    this.#statements.putErasure.run(...erasureRow(erasure));
  }

  endErasure(user: string): void {
    this.#statements.deleteErasure.run(user);
  }

  erasable(erasure: Erasure): ErasableList {
    return this.#erasable(erasure);
  }

  newestMessage(): number {
    return this.#nextMessage - 1;
  }

  noteErased(user: string, room: string): void {
    this.#statements.noteErased.run(user, this.#num(room));
  }

  toldErased(user: string, room: string): void {
    this.#statements.toldErased.run(user, this.#num(room));
  }

  deleteMember(room: string, user: string): void {
    const num = this.#num(room);
    this.#members.delete(`${num} ${user}`);
    this.#statements.deleteMember.run(user, num);
  }

  deleteUser(id: string): void {
    const known = this.user(id);
    if (known !== undefined) for (const key of findKeys(known)) this.#statements.deleteKey.run(key, id);
    this.#statements.deleteUser.run(id);
    // Somebody may have been added by that id since the memberships went.
    this.#statements.sortShown.run(memberKey({ id, name: id }, true), id, acted.never);
    this.#users.set(id, undefined);
  }

  deleteReport({ id }: StoredReport): void {
    this.#statements.deleteReport.run(id);
  }

  eraseFile(id: string): void {
    this.#statements.eraseFile.run(id);
  }

  /** There are no other servers. */
  eraseInJournal(): void {}

  eraseMessage(message: StoredMessage, before: StoredMessage): void {
    this.updateMessage(message, before);
    const { room, seq, clientId, user } = message;
    this.#statements.eraseMessage.run(clientId, user.id, user.name, this.#messageNum(room, seq));
  }

  digest(said: string): string {
    return createHmac('sha256', this.#digestKey).update(said).digest('hex');
  }

  #message(row: Row, room: string): StoredMessage {
    const num = this.#num(room);
    // Names are read from the table, but not every member is in it as it is now.
    const member = (user: string) => this.#members.get(`${num} ${user}`)?.row;
    return withNames(messageFrom(row, room), () => undefined, member);
  }

  #room(id: string): CachedRoom | undefined {
    const known = this.#rooms.get(id);
    if (known !== undefined) return known;
    const row = this.#statements.room.get(id);
    if (row === undefined) return undefined;
    const room: CachedRoom = {
      num: row.num as number,
      row: {
        ...roomFrom(row),
        ...(row.created_by === null ? {} : { createdBy: row.created_by as string }),
        ...(row.client_id === null ? {} : { clientId: row.client_id as string }),
        ...(row.empty_since === null ? {} : { emptySince: row.empty_since as number }),
      },
      dirty: false,
    };
    this.#rooms.set(id, room);
    return room;
  }

  #roomOf(found: Row | undefined): RoomRow | undefined {
    return found && this.room(found.id as string);
  }

  /** The number of a room that the rules have seen; none has -1. */
  #num(id: string): number {
    return this.#room(id)?.num ?? -1;
  }

  #messageNum(room: string, seq: number): number {
    return this.#statements.messageNum.get(this.#num(room), seq)?.num as number;
  }

  #member(room: string, user: string): CachedMember | undefined {
    const num = this.#num(room);
    const key = `${num} ${user}`;
    const known = this.#members.get(key);
    if (known !== undefined) return known;
    const row = this.#statements.member.get(user, num);
    if (row === undefined) return undefined;
    const member = { room: num, user, row: memberFrom(row), dirty: false };
    this.#members.set(key, member);
    return member;
  }
}

/** Unambiguous beside those of the room. */
const reportsColumns = reportColumns.map((name) => `reports.${name} AS ${name}`).join(', ');

function prepare(db: DatabaseSync) {
  return {
    room: db.prepare(
      `SELECT num, ${roomColumns}, created_by, client_id, empty_since FROM rooms WHERE id = ?`,
    ),
    emptyRooms: db.prepare(
      `SELECT id FROM rooms WHERE kind = 'private' AND empty_since IS NOT NULL AND empty_since < ?
       ORDER BY empty_since, id LIMIT ?`,
    ),
    roomByName: db.prepare(`SELECT id FROM rooms WHERE name_key = ? AND kind = 'public'`),
    roomByPair: db.prepare(`SELECT id FROM rooms WHERE pair_low = ? AND pair_high = ? AND kind = 'direct'`),
    roomByMaker: db.prepare('SELECT id FROM rooms WHERE created_by = ? AND client_id = ?'),
    countMadeBy: db.prepare(
      `SELECT count(*) AS rooms FROM rooms WHERE created_by = ? AND client_id IS NOT NULL`,
    ),
    insertRoom: db.prepare(
      `INSERT INTO rooms (id, kind, name, name_key, topic, head, last_seq, access, members, created_at, created_by,
         client_id, pair_low, pair_high, empty_since, writers, slow, reports)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    updateNumbers: db.prepare('UPDATE rooms SET head = ?, last_seq = ? WHERE num = ?'),
    updateRoom: db.prepare(
      `UPDATE rooms SET name = ?, name_key = ?, topic = ?, head = ?, last_seq = ?, access = ?, members = ?,
         empty_since = ?, writers = ?, slow = ?, reports = ?, reset_rev = ?, pair_low = ?, pair_high = ?, created_by = ?,
         client_id = ? WHERE num = ?`,
    ),
    expire: db.prepare('UPDATE rooms SET first_seq = ?, expiring = 1 WHERE num = ?'),
    expired: db.prepare('UPDATE rooms SET expiring = NULL WHERE num = ?'),
    expiredRoom: db.prepare('SELECT num, first_seq FROM rooms WHERE expiring = 1 LIMIT 1'),
    deleteRoom: db.prepare('DELETE FROM rooms WHERE num = ?'),
    deleteReports: db.prepare('DELETE FROM reports WHERE room = ?'),
    report: db.prepare(
      `SELECT rooms.id AS room_id, ${reportsColumns} FROM reports JOIN rooms ON rooms.num = reports.room
       WHERE reports.id = ?`,
    ),
    reportOf: db.prepare(`SELECT ${reportsColumns} FROM reports WHERE room = ? AND seq = ? AND by_id = ?`),
    openReports: db.prepare(
      'SELECT count(*) AS open FROM reports WHERE room = ? AND seq >= ? AND closed IS NULL',
    ),
    putReport: db.prepare(
      `INSERT INTO reports (room, ${reportColumns.join(', ')}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET note = excluded.note, message = excluded.message, closed = excluded.closed`,
    ),
    erasure: db.prepare('SELECT * FROM erasures WHERE user_id = ?'),
    heldErasure: db.prepare('SELECT * FROM erasures WHERE holder = ? ORDER BY user_id LIMIT 1'),
    leftErasure: db.prepare(
      'SELECT * FROM erasures WHERE held_until > 0 AND held_until <= ? ORDER BY held_until, asked_at, user_id LIMIT 1',
    ),
    newErasure: db.prepare('SELECT * FROM erasures WHERE held_until = 0 ORDER BY asked_at, user_id LIMIT 1'),
    putErasure: db.prepare(
      `INSERT INTO erasures (${erasureColumns.join(', ')}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
       ON CONFLICT DO UPDATE SET erases = ?2, asked_at = ?3, up_to = ?4, stage = ?5, place = ?6, holder = ?7, held_until = ?8`,
    ),
    deleteErasure: db.prepare('DELETE FROM erasures WHERE user_id = ?'),
    noteErased: db.prepare('INSERT OR IGNORE INTO erased_rooms (user_id, room) VALUES (?, ?)'),
    toldErased: db.prepare('DELETE FROM erased_rooms WHERE user_id = ? AND room = ?'),
    deleteMember: db.prepare('DELETE FROM members WHERE user_id = ? AND room = ?'),
    deleteUser: db.prepare('DELETE FROM users WHERE id = ?'),
    deleteReport: db.prepare('DELETE FROM reports WHERE id = ?'),
    eraseFile: db.prepare(
      `UPDATE files SET state = ${fileStates.dropped}, user_id = '', about = '{}' WHERE id = ?`,
    ),
    eraseMessage: db.prepare(
      `UPDATE messages SET client_id = ?, user_id = ?, user_name = ?, digest = x'' WHERE num = ?`,
    ),
    deleteMembers: db.prepare('DELETE FROM members WHERE room = ?'),
    deleteMessages: db.prepare('DELETE FROM messages WHERE room = ? AND seq <= ?'),
    retireRoom: db.prepare(
      `UPDATE rooms SET id = ?, kind = 'private', name = '', name_key = '', topic = NULL, members = 0, created_by = NULL,
         client_id = NULL, pair_low = NULL, pair_high = NULL, empty_since = NULL WHERE num = ?`,
    ),
    goneRoom: db.prepare(`SELECT num FROM rooms WHERE ${goneRooms} LIMIT 1`),
    textsWaiting: db.prepare(
      `SELECT coalesce((SELECT max(change) FROM former_texts) - (SELECT min(change) FROM former_texts), 0) AS texts`,
    ),
    sizes: db.prepare(
      `SELECT seq, octet_length(text) + 100 * (SELECT count(*) FROM reactions WHERE message = messages.num) AS size
       FROM messages WHERE room = ? AND seq <= ? ORDER BY seq LIMIT ?`,
    ),
    member: db.prepare(`SELECT ${memberColumns} FROM members WHERE user_id = ? AND room = ?`),
    hasBeenMember: db.prepare('SELECT 1 FROM members WHERE user_id = ? AND room = ? AND since > 0'),
    owner: db.prepare(`SELECT user_id FROM members WHERE room = ? AND role = 'owner' AND sources <> 0`),
    successor: db.prepare(
      `SELECT user_id FROM members WHERE room = ? AND user_id <> ? AND sources <> 0
       ORDER BY role = 'moderator' DESC, since, user_id LIMIT 1`,
    ),
    sessionRooms: db.prepare(
      `SELECT rooms.id AS id FROM members JOIN rooms ON rooms.num = members.room
       WHERE user_id = ? AND (sources | coalesce(held, 0)) & 1`,
    ),
    endedRestrictions: db.prepare(
      `SELECT rooms.id AS room, user_id AS user FROM members JOIN rooms ON rooms.num = members.room
       WHERE restricted_until <= ? ORDER BY restricted_until, room, user LIMIT ?`,
    ),
    putMember: db.prepare(
      `INSERT INTO members (user_id, room, sources, role, read_seq, notify, acted, wrote_at, held, restricted,
         restricted_until, since, sort, has_left)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?15)
       ON CONFLICT DO UPDATE SET sources = ?3, role = ?4, read_seq = ?5, notify = ?6, acted = ?7,
         wrote_at = ?8, held = ?9, restricted = ?10, restricted_until = ?11, since = iif(?14, ?12, since), sort = ?13, has_left = ?15`,
    ),
    updateRead: db.prepare(
      'UPDATE members SET read_seq = ?, acted = ?, wrote_at = ? WHERE user_id = ? AND room = ?',
    ),
    user: db.prepare('SELECT id, name, acted_public, site_role FROM users WHERE id = ?'),
    putUser: db.prepare(
      `INSERT INTO users (id, name, acted_public, site_role) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT DO UPDATE SET name = ?2, acted_public = ?3, site_role = ?4`,
    ),
    deleteKey: db.prepare('DELETE FROM user_keys WHERE key = ? AND user_id = ?'),
    insertKey: db.prepare('INSERT INTO user_keys (key, user_id) VALUES (?, ?)'),
    sortShown: db.prepare('UPDATE members SET sort = ? WHERE user_id = ? AND acted >= ?'),
    putBan: db.prepare(
      `INSERT INTO bans (user_id, until, reason) VALUES (?1, ?2, ?3)
       ON CONFLICT DO UPDATE SET until = ?2, reason = ?3`,
    ),
    hasBlocked: db.prepare('SELECT 1 FROM blocked WHERE user_id = ? AND other_id = ?'),
    countBlocked: db.prepare('SELECT count(*) AS others FROM blocked WHERE user_id = ?'),
    putBlocked: db.prepare('INSERT OR REPLACE INTO blocked (user_id, other_id, since) VALUES (?, ?, ?)'),
    deleteBlocked: db.prepare('DELETE FROM blocked WHERE user_id = ? AND other_id = ?'),
    deleteBan: db.prepare('DELETE FROM bans WHERE user_id = ?'),
    message: db.prepare(`SELECT ${columns} FROM messages WHERE room = ? AND seq = ?`),
    messageNum: db.prepare('SELECT num FROM messages WHERE room = ? AND seq = ?'),
    rich: db.prepare('SELECT rich, deleted_at FROM messages WHERE room = ? AND seq = ?'),
    setRich: db.prepare('UPDATE messages SET rev = ?, rich = ? WHERE num = ?'),
    reaction: db.prepare('SELECT 1 FROM reactions WHERE message = ? AND emoji = ? AND user_id = ?'),
    reactors: db.prepare(
      'SELECT user_id FROM reactions WHERE message = ? AND emoji = ? ORDER BY place LIMIT ?',
    ),
    insertReaction: db.prepare('INSERT INTO reactions (message, emoji, user_id, place) VALUES (?, ?, ?, ?)'),
    deleteReaction: db.prepare('DELETE FROM reactions WHERE message = ? AND emoji = ? AND user_id = ?'),
    deleteReactions: db.prepare('DELETE FROM reactions WHERE message = ?'),
    messageByClientId: db.prepare(
      `SELECT ${columns}, digest FROM messages WHERE room = ? AND user_id = ? AND client_id = ?`,
    ),
    insertMessage: db.prepare(
      `INSERT INTO messages (num, room, seq, rev, id, client_id, user_id, user_name, text, sent_at, reply_to, files,
         mentions, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    formerText: db.prepare('INSERT INTO former_texts (message, room, seq, text) VALUES (?, ?, ?, ?)'),
    keepNumbers: db.prepare('UPDATE next_message SET num = ?'),
    roomTexts: db.prepare(
      `INSERT INTO former_texts (message, room, seq, text)
       SELECT num, room, seq, text FROM messages WHERE room = ? AND seq <= ? AND text <> '' ORDER BY seq`,
    ),
    updateMessage: db.prepare(
      'UPDATE messages SET rev = ?, text = ?, edited_at = ?, deleted_at = ?, deleted_by = ?, files = ?, mentions = ? WHERE num = ?',
    ),
    file: db.prepare(`SELECT ${fileColumns} FROM files WHERE id = ? AND room = ?`),
    insertFile: db.prepare(
      'INSERT INTO files (id, room, user_id, seq, state, at, about) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    updateFile: db.prepare('UPDATE files SET state = ?, seq = ?, at = ? WHERE id = ?'),
    dropFile: db.prepare(`UPDATE files SET state = ${fileStates.dropped} WHERE id = ?`),
    dropFilesUpTo: db.prepare(`UPDATE files SET state = ${fileStates.dropped} WHERE room = ? AND seq <= ?`),
    dropFilesOf: db.prepare(`UPDATE files SET state = ${fileStates.dropped} WHERE room = ?`),
    deleteFile: db.prepare('DELETE FROM files WHERE id = ?'),
    doomedFiles: db.prepare(
      // The condition of the index, without which SQLite would look through all files.
      `WITH loose AS (SELECT id, state, at FROM files INDEXED BY files_to_delete WHERE state <> ${fileStates.carried})
       SELECT id FROM loose WHERE state = ${fileStates.dropped}
       UNION SELECT id FROM loose WHERE state = ${fileStates.loose} AND at < ?1
       UNION SELECT files.id FROM (SELECT num FROM rooms WHERE ${goneRooms}) AS gone CROSS JOIN files ON files.room = gone.num
       ORDER BY id LIMIT ?2`,
    ),
    insertMention: db.prepare('INSERT INTO mentions (room, user_id, seq) VALUES (?, ?, ?)'),
    deleteMentions: db.prepare('DELETE FROM mentions WHERE room = ? AND seq = ?'),
  };
}

/**
 * Whether a row differs in nothing but these fields, which each message changes: they are written once, at the end of the
 * batch.
 */
function isSameBut<T extends object>(fields: readonly (keyof T)[], before: T, row: T): boolean {
  for (const name in row) if (row[name] !== before[name] && !fields.includes(name)) return false;
  for (const name in before) if (!(name in row) && !fields.includes(name)) return false;
  return true;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
