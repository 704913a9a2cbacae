import { Component } from 'preact';
import type { RoomSummary } from '../../../../server/wire/events.ts';
import { setNotify, updateRoom, wantPreviews } from '../../chat/room-actions.ts';
import type { RequestError } from '../../connection/connection-state.ts';
import type { Room } from '../../store/room.ts';
import type { Strings } from '../../strings/strings.ts';
import { confirms } from '../../text/keys.ts';
import type { Context, DialogRequest } from '../context.ts';
import { Icon, type IconName } from '../controls/icon.tsx';
import { Choice, Row, Switch, save } from '../controls/rows.tsx';
import { Submission } from '../controls/submission.ts';
import { refusal } from '../refusal.ts';
import { NotifyChoice } from '../rooms/notify-choice.tsx';
import { RoomFields } from '../rooms/room-fields.tsx';
import { type Look, RoomLook } from './room-look.tsx';

/** Offered delays of slow mode, in seconds. */
const PAUSES = [0, 10, 30, 60, 300, 900];
const SAVED_MS = 2000;

type Rules = Pick<RoomSummary, 'write'> &
  Look & {
    readonly slow: number;
    readonly previews: 'on' | 'off';
    readonly seen: 'on' | 'off';
  };

interface Props {
  readonly context: Context;
  readonly room: Room;
}

/**
 * The settings of a room: notifications for any member, name and rules for users who may change them, and actions such
 * as leaving. Each change is saved immediately, name and topic on blur.
 */
export class RoomSettings extends Component<Props> {
  readonly #fields = new RoomFields(this.props.context.strings, this.props.context.changed);
  readonly #submission = new Submission(this.props.context);
  /** Changes that the server has not confirmed. */
  #pending: Partial<Rules> = {};
  #wanted: 'on' | 'off' | undefined;
  /** Whether a field lost the focus during a request, so that it is saved afterwards. */
  #again = false;
  /** The name and topic that the fields started with. */
  #before = { name: '', topic: '' };

  /** Whether a setting was saved in the last two seconds. */
  #justSaved = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  override componentWillUnmount(): void {
    clearTimeout(this.#timer);
    this.#rename();
  }

  override render({ context, room }: Props) {
    const { chat, strings, toast, dialog } = context;
    const { may, notify } = room.summary;
    const isQuiet = room.quietUntil > chat.clock.now;
    const handOver = room.summary.role === 'owner' && may.includes('roles');
    const action = (picture: IconName, label: string, request: DialogRequest, bad = false) => (
      <li key={request.kind}>
        <button type="button" class={bad ? 'bad' : ''} onClick={() => dialog(request)}>
          <Icon name={picture} />
          <span>{label}</span>
          {!bad && <Icon name="forth" />}
        </button>
      </li>
    );
    const actions = [
      may.includes('moderate') &&
        action('ban', strings.text('restricted.title'), { kind: 'restricted', room }),
      handOver && action('shield', strings.text('owner.handOver'), { kind: 'handOver', room }),
      may.includes('leave') && action('exit', strings.text('rooms.leave'), { kind: 'leave', room }, true),
      may.includes('delete') &&
        action('delete', strings.text('owner.delete'), { kind: 'deleteRoom', room }, true),
    ].filter(Boolean);
    return [
      <div class="scroll form" key="form">
        <NotifyChoice
          context={context}
          chosen={isQuiet ? 'none' : notify}
          until={isQuiet ? room.quietUntil : undefined}
          choose={(chosen) => {
            setNotify(context, room, chosen).then(this.#saved, () =>
              toast(strings.text('error.other'), 'bad'),
            );
          }}
        />
        {may.includes('update') && this.#named()}
        {may.includes('update') && this.#rules()}
        {room.summary.kind === 'direct' && room.summary.lastSeq > 0 && chat.can.previews && this.#wish()}
        {actions.length > 0 && <ul class="doings">{actions}</ul>}
      </div>,
      <div class="saved" role="status" key="saved">
        {this.#justSaved && [<Icon name="check" size="s" key="icon" />, strings.text('settings.saved')]}
      </div>,
    ];
  }

  #named() {
    const { name, topic = '' } = this.props.room.summary;
    // Another user may have changed the name or topic.
    if (!this.#typed && (name !== this.#before.name || topic !== this.#before.topic)) {
      this.#before = { name, topic };
      [this.#fields.name, this.#fields.topic] = [name, topic];
    }
    const { problem } = this.#submission;
    return (
      // biome-ignore lint/a11y/noStaticElementInteractions: it only detects that a field loses the focus.
      <div
        onFocusOut={() => this.#rename()}
        onKeyDown={(event) => {
          if (confirms(event)) this.#rename();
        }}
      >
        {this.#fields.draw(false)}
        {problem !== undefined && (
          <p class="hint bad" role="alert">
            {problem}
          </p>
        )}
      </div>
    );
  }

  /** In a direct room both users decide about previews, once it has a message. */
  #wish() {
    const { context, room } = this.props;
    const label = context.strings.text('settings.previews');
    const { previews = 'on' } = room.summary;
    return (
      <ul class="sets">
        <Row
          title={label}
          hint={previews === 'asked' ? context.strings.text('settings.previews.both') : undefined}
        >
          <Switch
            label={label}
            on={(this.#wanted ?? previews) !== 'off'}
            turn={(on) =>
              save(
                context,
                (wanted) => {
                  this.#wanted = wanted ? (on ? 'on' : 'off') : undefined;
                },
                async () => {
                  await wantPreviews(context, room, on ? 'on' : 'off');
                  this.#wanted = undefined;
                  this.#saved();
                },
              )
            }
          />
        </Row>
      </ul>
    );
  }

  #rules() {
    const { context } = this.props;
    const { chat, strings } = context;
    const { summary } = this.props.room;
    const { write, slow = 0, seen = 'on', color = '', emoji = '', picture = '' } = summary;
    const previews = summary.previews === 'off' ? 'off' : 'on';
    const stored: Rules = { write, slow, previews, seen, color, emoji, picture };
    const rules = { ...stored, ...this.#pending };
    const only = strings.text('composer.readOnly');
    const shown = strings.text('settings.previews');
    const seenBy = strings.text('seen.title');
    const label = strings.text('settings.slow');
    return (
      <ul class="sets">
        <RoomLook
          context={context}
          room={this.props.room}
          look={rules}
          change={(look) => this.#change(look)}
        />
        <Row title={only}>
          <Switch
            label={only}
            on={rules.write === 'moderators'}
            turn={(on) => this.#change({ write: on ? 'moderators' : 'all' })}
          />
        </Row>
        {chat.can.previews && (
          <Row title={shown}>
            <Switch
              label={shown}
              on={rules.previews === 'on'}
              turn={(on) => this.#change({ previews: on ? 'on' : 'off' })}
            />
          </Row>
        )}
        {chat.can.seen && (
          <Row title={seenBy}>
            <Switch
              label={seenBy}
              on={rules.seen === 'on'}
              turn={(on) => this.#change({ seen: on ? 'on' : 'off' })}
            />
          </Row>
        )}
        <Row title={label}>
          <Choice
            label={label}
            chosen={String(rules.slow)}
            options={[...new Set([...PAUSES, rules.slow])]
              .sort((a, b) => a - b)
              .map((seconds) => [String(seconds), pause(seconds, strings)])}
            choose={(seconds) => this.#change({ slow: Number(seconds) })}
          />
        </Row>
      </ul>
    );
  }

  #change(change: Partial<Rules>): void {
    const { context, room } = this.props;
    const answered = () => {
      const left = Object.entries(this.#pending).filter(
        ([name, value]) => change[name as keyof Rules] !== value,
      );
      this.#pending = Object.fromEntries(left);
    };
    save(
      context,
      (wanted) => {
        if (wanted) this.#pending = { ...this.#pending, ...change };
        else answered();
      },
      async () => {
        await updateRoom(context, { room: room.id, ...change });
        answered();
        this.#saved();
      },
    );
  }

  readonly #saved = () => {
    const { changed } = this.props.context;
    this.#justSaved = true;
    changed();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#justSaved = false;
      changed();
    }, SAVED_MS);
  };

  get #typed(): boolean {
    const { name, topic } = this.#fields;
    return name !== this.#before.name || topic !== this.#before.topic;
  }

  #rename(): void {
    const { context, room } = this.props;
    if (!room.summary.may.includes('update') || !this.#typed || !this.#fields.check()) return;
    this.#again = this.#submission.busy;
    const { name, topic } = this.#fields;
    const { name: nameBefore, topic: topicBefore } = this.#before;
    void this.#submission.run(
      () =>
        // Only the changed fields, because another user may be changing the others.
        updateRoom(context, {
          room: room.id,
          name: name === nameBefore ? undefined : name,
          topic: topic === topicBefore ? undefined : topic,
        }),
      () => {
        this.#before = { name, topic };
        this.#saved();
        // Runs after this submission ends.
        if (this.#again) queueMicrotask(() => this.#rename());
      },
      (error: RequestError) => {
        if (error.code !== 'conflict') return refusal(error, context.strings);
        this.#fields.fail('create.taken');
        return undefined;
      },
    );
  }
}

function pause(seconds: number, strings: Strings): string {
  if (seconds === 0) return strings.text('settings.slow.off');
  if (seconds % 60 > 0) return strings.text('settings.slow.seconds', { s: seconds });
  return strings.count('settings.slow.minutes', seconds / 60);
}
