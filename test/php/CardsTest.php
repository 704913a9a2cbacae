<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use InvalidArgumentException;
use PDO;
use PhpSessionChat\Cards;
use PhpSessionChat\Tests\Support\Thrown;
use PhpSessionChat\Webhook;
use PhpSessionChat\WebhookError;
use PHPUnit\Framework\TestCase;

final class CardsTest extends TestCase
{
    use Thrown;

    private const KEY = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    private const ANN = ['id' => '7', 'name' => 'Ann'];

    private PDO $database;

    protected function setUp(): void
    {
        $this->database = new PDO('sqlite::memory:');
        Cards::createTable($this->database);
        $this->database->exec("CREATE TABLE orders (id TEXT, state TEXT, shipped INT DEFAULT 0)");
        $this->database->exec("INSERT INTO orders (id, state) VALUES ('order:1', 'paid')");
    }

    /** Ann sees order 1, with a button while it is paid. */
    private function get(string $about, array $user): ?array
    {
        $state = $this->database->query("SELECT state FROM orders WHERE id = '$about'")->fetchColumn();
        if ($user['id'] !== '7' || $state === false) {
            return null;
        }
        $ship = $state === 'paid' ? [['id' => 'ship', 'label' => 'Ship']] : [];
        return ['title' => 'Order', 'state' => $state, 'buttons' => $ship];
    }

    private function ship(string $about, string $button, array $user): void
    {
        $this->database->exec("UPDATE orders SET state = 'shipped', shipped = shipped + 1 WHERE id = '$about'");
    }

    private function answer(array $event): array
    {
        $cards = new Cards(new Webhook(self::KEY), $this->database);
        $find = fn (string $query, ?string $about, array $user): array => [
            ['about' => $about ?? 'order:1', 'title' => "$query for $user[name]"],
        ];
        return json_decode($cards->answer($event, $this->get(...), $find, $this->ship(...)), true);
    }

    private function press(string $id, array $over = []): array
    {
        return $this->answer([
            'id' => $id,
            'type' => 'card.press',
            'data' => $over + ['user' => self::ANN, 'about' => 'order:1', 'button' => 'ship'],
        ]);
    }

    private function shipped(): int
    {
        return (int) $this->database->query('SELECT shipped FROM orders')->fetchColumn();
    }

    public function testAnswersForEachUser(): void
    {
        $get = fn (array $user, string $about): array => $this->answer(
            ['id' => 'a', 'type' => 'card.get', 'data' => ['user' => $user, 'about' => $about]],
        );
        self::assertSame('paid', $get(self::ANN, 'order:1')['card']['state']);
        self::assertSame(['card' => null], $get(['id' => '8', 'name' => 'Bo'], 'order:1'));
        self::assertSame(['card' => null], $get(self::ANN, 'order:2'));
    }

    public function testSuggestsCards(): void
    {
        $find = ['id' => 'a', 'type' => 'card.find', 'data' => ['user' => self::ANN, 'query' => 'x']];
        self::assertSame(['cards' => [['about' => 'order:1', 'title' => 'x for Ann']]], $this->answer($find));
        $find['data']['about'] = 'order:9';
        self::assertSame('order:9', $this->answer($find)['cards'][0]['about']);
    }

    public function testRunsAButtonOnceAndReplacesTheCard(): void
    {
        self::assertSame('shipped', $this->press('press_1')['card']['state']);
        $this->database->exec("UPDATE orders SET state = 'paid'");
        self::assertSame('paid', $this->press('press_1')['card']['state']);
        self::assertSame(1, $this->shipped());
        self::assertSame('shipped', $this->press('press_2')['card']['state']);
        self::assertSame(2, $this->shipped());
    }

    public function testRunsNoButtonThatTheCardDoesNotHave(): void
    {
        self::assertSame(['card' => null], $this->press('press_1', ['user' => ['id' => '8', 'name' => 'Bo']]));
        self::assertSame('paid', $this->press('press_2', ['button' => 'delete'])['card']['state']);
        $this->press('press_3');
        $this->press('press_4');
        self::assertSame(1, $this->shipped());
    }

    public function testRunsAButtonAgainAfterAFailure(): void
    {
        $cards = new Cards(new Webhook(self::KEY), $this->database);
        $event = ['id' => 'press_1', 'type' => 'card.press', 'data' => ['user' => self::ANN, 'about' => 'order:1', 'button' => 'ship']];
        $fail = function (): void {
            $this->database->exec("UPDATE orders SET state = 'lost'");
            throw new \LogicException('the printer is on fire');
        };
        $find = fn (): array => [];
        self::thrown(\LogicException::class, fn () => $cards->answer($event, $this->get(...), $find, $fail));
        self::assertSame('shipped', $this->press('press_1')['card']['state']);
        self::assertSame(1, $this->shipped());
    }

    public function testForgetsOldRequests(): void
    {
        $this->database->exec('INSERT INTO php_chat_presses VALUES (\'old\', ' . (time() - 86_500) . ')');
        $this->press('press_1');
        self::assertSame(['press_1'], $this->database->query('SELECT id FROM php_chat_presses')->fetchAll(PDO::FETCH_COLUMN));
    }

    public function testRejectsOtherRequests(): void
    {
        foreach ([['id' => 'a'], ['id' => 'a', 'type' => 'message.created', 'data' => ['room' => []]]] as $event) {
            self::thrown(WebhookError::class, fn () => $this->answer($event));
        }
        $cards = new Cards(new Webhook(self::KEY), $this->database);
        self::thrown(WebhookError::class, fn () => $cards->answerRequest($this->get(...), fn () => []));
        $silent = new PDO('sqlite::memory:', null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_SILENT]);
        self::thrown(InvalidArgumentException::class, fn () => new Cards(new Webhook(self::KEY), $silent));
    }
}
