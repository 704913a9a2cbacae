<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** The club's shop: what is left of each product, the members' orders, and their cards in the chat. */
final class Shop
{
    public const TABLES = <<<'SQL'
        CREATE TABLE IF NOT EXISTS stock (product TEXT PRIMARY KEY, amount INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS orders (
            number INTEGER PRIMARY KEY, member INTEGER NOT NULL, product TEXT NOT NULL, state TEXT NOT NULL
        );
        INSERT OR IGNORE INTO stock VALUES ('planter', 3), ('seeds', 9), ('can', 5), ('honey', 2);
        SQL;

    public function __construct(private readonly Database $database)
    {
    }

    /** Stores an order. A second call with the same number has no effect. @param string $product a key of Products::ALL */
    public function order(User $user, int $number, string $product): void
    {
        $this->database->query("INSERT OR IGNORE INTO orders VALUES (?, ?, ?, 'ordered')", [$number, $user->id, $product]);
    }

    /** Returns the reference of the member's last order, or null. */
    public function lastOrder(User $user): ?string
    {
        $number = $this->database->query('SELECT number FROM orders WHERE member = ? ORDER BY rowid DESC', [$user->id])->fetchColumn();
        return $number === false ? null : "order:$number";
    }

    /**
     * Returns a card for the chat, or null if the member may not see it.
     *
     * @param array{id: string, lang?: string} $user from the chat
     * @return array<string, mixed>|null
     */
    public function card(string $about, array $user): ?array
    {
        [$kind, $id] = explode(':', "$about:");
        $texts = new Texts($user['lang'] ?? '');
        return match ($kind) {
            'order' => $this->orderCard((int) $id, $user, $texts),
            'product' => isset(Products::ALL[$id]) ? $this->productCard($id, $texts) : null,
            default => null,
        };
    }

    /** @return list<array<string, mixed>> the cards with the typed words in their title, the page's subject first */
    public function find(string $query, ?string $about, array $user): array
    {
        $orders = $this->database->query('SELECT number FROM orders WHERE member = ? ORDER BY rowid DESC LIMIT 5', [$user['id']]);
        $all = array_unique([
            ...($about === null ? [] : [$about]),
            ...array_map(fn (int $number): string => "order:$number", $orders->fetchAll(\PDO::FETCH_COLUMN)),
            ...array_map(fn (string $product): string => "product:$product", array_keys(Products::ALL)),
        ]);
        $found = [];
        foreach ($all as $one) {
            $card = $this->card($one, $user);
            if ($card !== null && ($query === '' || stripos($card['title'], $query) !== false)) {
                $found[] = ['about' => $one] + $card;
            }
        }
        return $found;
    }

    /** Runs a button of a card. Two members can click at once, so each change names the state that it replaces. */
    public function press(string $about, string $button, array $user): void
    {
        $id = explode(':', $about)[1];
        if ($button === 'reserve') {
            $this->database->query('UPDATE stock SET amount = amount - 1 WHERE product = ? AND amount > 0', [$id]);
        } else {
            $state = ['cancel' => 'cancelled', 'ship' => 'shipped'][$button];
            $this->database->query("UPDATE orders SET state = ? WHERE number = ? AND state = 'ordered'", [$state, $id]);
        }
    }

    private function orderCard(int $number, array $user, Texts $texts): ?array
    {
        $order = $this->database->query('SELECT member, product, state FROM orders WHERE number = ?', [$number])->fetch(\PDO::FETCH_ASSOC);
        $isOwn = $order !== false && (string) $order['member'] === $user['id'];
        $isStaff = ((new Users($this->database))->find((int) $user['id'])?->role ?? 'member') !== 'member';
        if ($order === false || (!$isOwn && !$isStaff)) {
            return null;
        }
        $buttons = $order['state'] === 'ordered' ? [...($isStaff ? ['ship'] : []), ...($isOwn ? ['cancel'] : [])] : [];
        return [
            'title' => strtr($texts->get('card.order'), ['{number}' => (string) $number]),
            'text' => $texts->get("product.$order[product]") . ' · €' . Products::ALL[$order['product']],
            'state' => $texts->get("card.$order[state]"),
            'image' => "/pictures/$order[product].svg",
            'url' => '/orders',
            'buttons' => array_map(fn (string $id): array => ['id' => $id, 'label' => $texts->get("card.$id")], $buttons),
        ];
    }

    private function productCard(string $product, Texts $texts): array
    {
        $amount = (int) $this->database->query('SELECT amount FROM stock WHERE product = ?', [$product])->fetchColumn();
        return [
            'title' => $texts->get("product.$product"),
            'text' => $texts->get("product.$product.text") . "\n€" . Products::ALL[$product],
            'state' => $amount > 0 ? strtr($texts->get('card.left'), ['{n}' => (string) $amount]) : $texts->get('card.none'),
            'image' => "/pictures/$product.svg",
            'url' => '/',
            'buttons' => $amount > 0 ? [['id' => 'reserve', 'label' => $texts->get('card.reserve')]] : [],
        ];
    }
}
