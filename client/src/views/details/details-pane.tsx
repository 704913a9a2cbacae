import { createRef } from 'preact';
import { text } from '../../chat/form.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Icon, IconButton } from '../controls/icon.tsx';
import { PeopleList } from '../people/people.tsx';
import { PinnedList } from '../pins/pinned-list.tsx';
import { RoomFace } from '../rooms/room-face.tsx';
import { RoomFiles } from './room-files.tsx';
import { RoomSettings } from './room-settings.tsx';

const tabs = ['people', 'files', 'pinned', 'settings'] as const;
export type DetailsTab = (typeof tabs)[number];

/** The panel of the open room: its members, files, pinned messages and settings. */
export class DetailsPane {
  shown = false;
  readonly #context: Context;
  readonly #pane = createRef<HTMLElement>();
  #opener: Element | null = null;

  constructor(context: Context) {
    this.#context = context;
  }

  /** @param tab - defaults to the last selected tab */
  open(opener: Element | null, tab?: DetailsTab): void {
    if (tab !== undefined) this.#context.chat.settings.set('details', tab);
    this.shown = true;
    this.#opener = opener;
    this.#context.draw();
    this.#pane.current?.querySelector<HTMLElement>('[role=tab][aria-selected=true]')?.focus();
  }

  /** Closes the panel without a redraw. */
  clear(): void {
    this.shown = false;
  }

  readonly close = () => {
    this.clear();
    this.#context.draw(this.#opener);
    this.#opener = null;
  };

  /** @param lost - the connection is lost, so presence is unknown */
  draw(room: Room, inert: boolean, lost: boolean) {
    const { strings, dialog } = this.#context;
    const { id, kind, topic, members, may } = room.summary;
    const offered = this.#tabs(room);
    const tab = this.tab(room);
    const close = strings.text('details.close');
    return (
      <aside
        class="pane side about-room"
        part="people"
        aria-label={strings.text('details.title')}
        inert={inert}
        ref={this.#pane}
      >
        <div class="bar">
          <button type="button" class="icon back" aria-label={close} onClick={this.close}>
            <Icon name="back" />
          </button>
          <h2>
            <span>{strings.text('details.title')}</span>
          </h2>
          {may.includes('invite') && (
            <IconButton
              name="invite"
              label={strings.text('rooms.invite')}
              press={() => dialog({ kind: 'invite', room })}
            />
          )}
          <button type="button" class="icon shut" aria-label={close} onClick={this.close}>
            <Icon name="close" />
          </button>
        </div>
        <div class="card-top">
          <RoomFace summary={room.summary} size="xl" />
          <h3>
            <bdi>{strings.roomName(room.summary)}</bdi>
          </h3>
          <p>
            {kind === 'direct' ? strings.text('rooms.direct') : strings.count(`rooms.about.${kind}`, members)}
          </p>
          {topic !== undefined && <p class="topic">{topic}</p>}
        </div>
        <div class="tabbar" role="tablist" aria-label={strings.text('details.title')} onKeyDown={this.#key}>
          {offered.map((one) => (
            <button
              type="button"
              role="tab"
              key={one}
              id={`details-${one}`}
              aria-selected={one === tab}
              aria-controls="details-panel"
              tabIndex={one === tab ? 0 : -1}
              onClick={() => this.#select(one)}
            >
              {strings.text(`details.${one}`)} {one === 'people' && <small>{strings.number(members)}</small>}
              {one === 'pinned' && room.pins.length > 0 && <small>{strings.number(room.pins.length)}</small>}
            </button>
          ))}
        </div>
        <div class="tabpanel" role="tabpanel" id="details-panel" aria-labelledby={`details-${tab}`} key={id}>
          {this.#content(tab, room, lost)}
        </div>
      </aside>
    );
  }

  #content(tab: DetailsTab, room: Room, lost: boolean) {
    const context = this.#context;
    if (tab === 'people') return <PeopleList context={context} room={room} lost={lost} />;
    if (tab === 'files') return <RoomFiles context={context} room={room} />;
    if (tab === 'settings') return <RoomSettings context={context} room={room} />;
    return (
      <div class="scroll">
        <PinnedList context={context} room={room} go={({ seq }) => context.jump({ room: room.id, seq })} />
      </div>
    );
  }

  #tabs({ summary: { kind, member } }: Room): readonly DetailsTab[] {
    return tabs.filter((tab) => (tab === 'people' ? kind !== 'direct' : tab === 'settings' ? member : true));
  }

  /** Returns the tab that was last selected on this device, in any room. */
  tab(room: Room): DetailsTab {
    const offered = this.#tabs(room);
    const chosen = this.#context.chat.settings.get('details', text);
    return offered.find((tab) => tab === chosen) ?? (offered[0] as DetailsTab);
  }

  #select(tab: DetailsTab): void {
    this.#context.chat.settings.set('details', tab);
    this.#context.draw();
  }

  readonly #key = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    const all = [...event.currentTarget.querySelectorAll<HTMLElement>('[role=tab]')];
    const at = all.indexOf(event.target as HTMLElement);
    const step = event.currentTarget.matches(':dir(rtl)') ? -1 : 1;
    const to: Record<string, number> = {
      ArrowRight: at + step,
      ArrowLeft: at - step,
      Home: 0,
      End: all.length - 1,
    };
    const next = to[event.key];
    if (next === undefined) return;
    const tab = all.at(next % all.length);
    tab?.click();
    tab?.focus();
    event.preventDefault();
  };
}
