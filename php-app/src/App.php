<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** The pages of the site. */
final class App
{
    private const ROUTES = [
        '/' => ['GET' => 'home'],
        '/chat-cards' => ['POST' => 'chatCard'],
        '/chat-events' => ['POST' => 'chatEvent'],
        '/login' => ['POST' => 'logIn'],
        '/logout' => ['POST' => 'logOut'],
        '/members' => ['GET' => 'members'],
        '/messages' => ['GET' => 'messages'],
        '/nodes' => ['GET' => 'nodesPage'],
        '/notices' => ['GET' => 'notices'],
        '/orders' => ['GET' => 'orders', 'POST' => 'order'],
        '/session' => ['GET' => 'sessionPage'],
    ];

    /** The page of a member. The chat links to it by the template `/members/{id}`. */
    private const MEMBER = '~^/members/([1-9]\d{0,8})\z~';

    private readonly SiteSession $session;

    public function __construct(
        private readonly Config $config,
        private readonly Request $request,
        private readonly View $view,
        private readonly Texts $texts,
    ) {
        $this->session = new SiteSession($config->sessionHandler, $config->cookieDomain, $request->https);
    }

    /** @throws \Throwable an HttpError or any failure, before the response starts */
    public function answer(): Response
    {
        $route = $this->route() ?? throw new HttpError(404, 'error.path');
        // PHP omits the body in responses to HEAD.
        $method = $this->request->method === 'HEAD' ? 'GET' : $this->request->method;
        $isLogin = $method === 'POST' && $this->isPage() && $this->request->field('form') === 'login';
        $action = $isLogin ? 'logIn' : $route[$method] ?? throw new HttpError(405, 'error.method', [
            'Allow' => isset($route['GET']) ? 'GET, HEAD' : 'POST',
        ]);
        $response = $this->$action();
        $this->session->commit();
        return $response;
    }

    /** @return array<string, string>|null the actions of the path, by HTTP method */
    private function route(): ?array
    {
        $isMember = preg_match(self::MEMBER, $this->request->path) === 1;
        return $isMember ? ['GET' => 'member'] : self::ROUTES[$this->request->path] ?? null;
    }

    /** Whether the path is a page of the site. A redirect to such a path is safe. */
    private function isPage(): bool
    {
        return isset($this->route()['GET']);
    }

    private function home(): Response
    {
        return $this->page('home', fn (User $user): array => [
            'products' => Products::ALL,
            'others' => $this->others($user),
            'canOrder' => $this->config->chatClient !== null,
            // The number is in the forms, so that repeated clicks on a button are one order.
            'order' => random_int(10_000, 99_999),
        ]);
    }

    private function members(): Response
    {
        return $this->page('members', fn (): array => ['members' => $this->users()->all()]);
    }

    private function member(): Response
    {
        preg_match(self::MEMBER, $this->request->path, $part);
        return $this->page('member', fn (): array => [
            'member' => $this->users()->find((int) $part[1]) ?? throw new HttpError(404, 'error.path'),
        ]);
    }

    private function messages(): Response
    {
        return $this->page('messages', fn (): array => []);
    }

    private function orders(): Response
    {
        if ($this->config->chatClient === null) {
            throw new HttpError(404, 'error.path');
        }
        return $this->page('orders', fn (User $user): array => ['room' => OrderNews::room($user)]);
    }

    /** Receives events of the chat server, such as unread messages of an offline user. */
    private function chatEvent(): Response
    {
        $webhook = $this->config->webhook ?? throw new HttpError(404, 'error.path');
        try {
            $event = $webhook->fromRequest();
        } catch (WebhookError $error) {
            error_log("An event was rejected: {$error->getMessage()}");
            throw new HttpError(400, 'error.request');
        }
        if ($event['type'] === 'notify.due') {
            $this->notify($event);
        }
        return new Response(204, '');
    }

    /** Answers the chat server's requests for cards of orders and products. */
    private function chatCard(): Response
    {
        $webhook = $this->config->webhook ?? throw new HttpError(404, 'error.path');
        $database = Database::open($this->config->dataFolder);
        $shop = new Shop($database);
        try {
            $answer = (new Cards($webhook, $database->pdo))->answerRequest($shop->card(...), $shop->find(...), $shop->press(...));
        } catch (WebhookError $error) {
            error_log("A request for a card was rejected: {$error->getMessage()}");
            throw new HttpError(400, 'error.request');
        }
        return new Response(200, $answer, ['Content-Type' => 'application/json']);
    }

    /** @param array{id: string, data: array<string, mixed>} $event */
    private function notify(array $event): void
    {
        $notices = new Notices(Database::open($this->config->dataFolder));
        $name = $this->users()->nameOf((int) $event['data']['user']['id']);
        $mail = NoticeMail::write($event['data'], $this->config->noticeMail->site ?? '');
        if (!$notices->add($event, $mail) || $name === null || $this->config->noticeMail === null) {
            return;
        }
        if (!$this->config->noticeMail->send($name, $event['data'])) {
            // The error makes the chat server send the event again later.
            $notices->remove($event);
            throw new HttpError(503, 'error.request');
        }
    }

    /** Shown to admins only. */
    private function notices(): Response
    {
        return $this->page('notices', fn (User $user): array => [
            'notices' => $this->seesNotices($user)
                ? (new Notices(Database::open($this->config->dataFolder)))->all()
                : throw new HttpError(404, 'error.path'),
        ]);
    }

    private function seesNotices(User $user): bool
    {
        return $user->role === 'admin' && $this->config->webhook !== null;
    }

    /**
     * Returns a page for logged-in users. Other visitors get the login form.
     *
     * @param callable(User): array<string, mixed> $values for the template
     */
    private function page(string $template, callable $values): Response
    {
        $this->session->start();
        $user = $this->session->user();
        if ($user === null) {
            // Opened before the form is shown, so that an unusable folder is reported now.
            Database::open($this->config->dataFolder);
            return $this->loginForm(200);
        }
        $chat = $this->config->chat ?? ChatAddress::beside($this->request);
        $page = $this->view->page($template, $values($user) + [
            'user' => $user,
            'csrf' => $this->session->csrfToken(),
            'chat' => $chat->url,
            'path' => $this->request->path,
            'hasOrders' => $this->config->chatClient !== null,
            'hasNotices' => $this->seesNotices($user),
            'isModerator' => $user->role !== 'member',
            'about' => (new Shop(Database::open($this->config->dataFolder)))->lastOrder($user),
        ]);
        return new Response(200, $page, chat: $chat);
    }

    private function users(): Users
    {
        return new Users(Database::open($this->config->dataFolder));
    }

    /** @return list<User> */
    private function others(User $user): array
    {
        return array_values(array_filter($this->users()->all(), fn (User $one) => $one->id !== $user->id));
    }

    private function logIn(): Response
    {
        $name = $this->request->field('username');
        $password = $this->request->field('password');
        $this->session->start();
        if (!$this->csrfMatches()) {
            return $this->loginForm(403, $this->texts->get('page.stale'), $name);
        }
        $database = Database::open($this->config->dataFolder);
        $limit = new LoginLimit($database);
        $wait = $limit->wait($name, $this->request->address);
        if ($wait === null) {
            $user = (new Users($database))->verify($name, $password);
            $wait = $limit->settle($name, $this->request->address, $user !== null);
        }
        if ($wait !== null) {
            $minutes = (string) (int) ceil($wait / 60);
            $text = strtr($this->texts->get('page.limited'), ['{m}' => $minutes]);
            return $this->loginForm(429, $text, $name, ['Retry-After' => (string) $wait]);
        }
        if ($user === null) {
            return $this->loginForm(401, $this->texts->get('page.wrong'), $name);
        }
        $this->session->logIn($user);
        // Releases the lock of the session, because the next calls may be slow.
        $this->session->commit();
        try {
            $this->orderNews()?->welcome($user);
        } catch (ChatError $error) {
            // The login succeeds even without the welcome message.
            error_log("The welcome message could not be sent: {$error->getMessage()}");
        }
        return Response::seeOther($this->isPage() ? $this->request->path : '/');
    }

    private function order(): Response
    {
        $order = $this->request->field('order');
        $product = $this->request->field('product');
        $news = $this->orderNews() ?? throw new HttpError(404, 'error.path');
        $this->session->start();
        $user = $this->session->user();
        if (!$this->csrfMatches() || $user === null) {
            $text = $this->texts->get('page.stale');
            return $user === null ? $this->loginForm(403, $text) : $this->notice(403, $text);
        }
        if (preg_match('/^[1-9]\d{0,8}\z/', $order) !== 1 || !isset(Products::ALL[$product])) {
            throw new HttpError(400, 'error.request');
        }
        $this->session->commit();
        (new Shop(Database::open($this->config->dataFolder)))->order($user, (int) $order, $product);
        try {
            $news->ordered($user, (int) $order, $product);
        } catch (ChatError $error) {
            error_log("The chat was not notified of an order: {$error->getMessage()}");
            throw new HttpError(503, 'news.failed', ['Retry-After' => '5']);
        }
        return Response::seeOther('/orders');
    }

    private function orderNews(): ?OrderNews
    {
        return $this->config->chatClient === null ? null : new OrderNews($this->config->chatClient, $this->texts);
    }

    private function logOut(): Response
    {
        $this->session->start();
        if (!$this->csrfMatches()) {
            $text = $this->texts->get('page.stale');
            return $this->session->user() === null ? $this->loginForm(403, $text) : $this->notice(403, $text);
        }
        $this->session->logOut();
        // The browser leaves the page before the chat is notified of the logout, so the chat cannot delete its draft.
        return Response::seeOther('/', ['Clear-Site-Data' => '"storage"']);
    }

    private function sessionPage(): Response
    {
        $this->session->start();
        return new Response(200, $this->view->page('session', [
            'id' => substr(session_id(), 0, 4) . '…',
            'started' => gmdate(DATE_ATOM, $this->session->startedAt()),
            'now' => gmdate(DATE_ATOM),
            'server' => gethostname() . ':' . $_SERVER['SERVER_PORT'],
        ]));
    }

    /** Shows which of several chat servers the browser is connected to. */
    private function nodesPage(): Response
    {
        $this->session->start();
        if ($this->session->user() === null) {
            return $this->loginForm(200);
        }
        $chat = $this->config->chat ?? ChatAddress::beside($this->request);
        $page = $this->view->page('nodes', ['chat' => $chat->url]);
        return new Response(200, $page, chat: $chat);
    }

    private function notice(int $status, string $text): Response
    {
        return new Response(
            $status,
            $this->view->page('notice', ['text' => $text, 'csrf' => $this->session->csrfToken()]),
        );
    }

    /** @param array<string, string> $headers */
    private function loginForm(int $status, string $error = '', string $name = '', array $headers = []): Response
    {
        return new Response($status, $this->view->page('login', [
            'csrf' => $this->session->csrfToken(),
            'isPage' => $this->isPage(),
            'error' => $error,
            'wrong' => $status === 401,
            'name' => $name,
        ]), $headers);
    }

    private function csrfMatches(): bool
    {
        return hash_equals($this->session->csrfToken(), $this->request->field('csrf'));
    }
}
