import { Component } from 'preact';
import type { Answers } from '../../../../server/wire/events.ts';
import type { BrowserPush } from '../../chat/push.ts';
import { Icon } from '../controls/icon.tsx';
import { Row, Section, Switch, save } from '../controls/rows.tsx';
import { Loading } from './loading.tsx';
import type { NoticesProps } from './notices.tsx';
import { Blocking, HomeScreen } from './push-help.tsx';

type Device = Answers['device:list']['devices'][number];

interface Props extends NoticesProps {
  readonly here: BrowserPush;
}

/** The user's devices that are notified while no page is open: this one and others. */
export class PushDevices extends Component<Props> {
  /** IDs of removed devices, which are hidden before the server confirms. */
  readonly #removed = new Set<string>();
  /** The requested state of this device until it is saved. */
  #wanted: boolean | undefined;
  readonly #list = new Loading(this.props.context, () => this.props.context.chat.request('device:list', {}));

  override componentDidMount(): void {
    this.#list.load();
  }

  override render({ context, here }: Props) {
    const { strings } = context;
    const others = this.#list.value?.devices.filter(({ id }) => id !== here.id && !this.#removed.has(id));
    if (here.state === 'absent' && others?.length === 0) return null;
    return (
      <Section picture="device" title={strings.text('prefs.push')}>
        <ul class="sets box">
          {here.state !== 'absent' && this.#own(here)}
          {others?.map((device) => this.#other(device))}
        </ul>
        {others === undefined && this.#list.draw()}
      </Section>
    );
  }

  #own({ state }: BrowserPush) {
    const { strings } = this.props.context;
    const label = strings.text('prefs.pushOn');
    const blocked = state === 'blocked';
    const home = state === 'home';
    return (
      <>
        <Row
          title={label}
          hint={home ? undefined : strings.text(blocked ? 'prefs.pushBlocked' : 'prefs.pushHint')}
        >
          <Switch
            label={label}
            on={this.#wanted ?? state === 'on'}
            fixed={blocked || home}
            turn={this.#turn}
          />
        </Row>
        {(blocked || home) && (
          <li class="how">{blocked ? <Blocking strings={strings} /> : <HomeScreen strings={strings} />}</li>
        )}
      </>
    );
  }

  #other(device: Device) {
    const { strings } = this.props.context;
    const { id, name = strings.text('prefs.push'), at } = device;
    return (
      <Row
        key={id}
        title={<bdi>{name}</bdi>}
        hint={strings.text('prefs.pushUsed', { when: strings.dayWithin(at) })}
        before={<Icon name="device" />}
      >
        <button type="button" class="btn s" onClick={() => this.#remove(device)}>
          {strings.text('link.remove')}
        </button>
      </Row>
    );
  }

  readonly #turn = async (on: boolean) => {
    const { context, here, notices, set } = this.props;
    this.#wanted = on;
    context.changed();
    try {
      await (on ? here.turnOn() : here.turnOff());
      // Pushes to all devices may have been turned off on another device.
      if (on && !notices.push) set({ push: true });
    } catch {
      // The user may have declined in the browser's prompt. The state shows that.
      if (here.state !== 'blocked')
        context.toast(context.strings.text(on ? 'offer.failed' : 'prefs.failed'), 'bad', {
          label: 'common.again',
          run: () => void this.#turn(on),
        });
    }
    this.#wanted = undefined;
    this.#list.load();
  };

  #remove({ id }: Device): void {
    const { context } = this.props;
    const show = (wanted: boolean) => {
      if (wanted) this.#removed.add(id);
      else this.#removed.delete(id);
      context.changed();
    };
    save(context, show, async () => {
      await context.chat.request('device:remove', { id });
    });
  }
}
