<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

use Illuminate\Contracts\Config\Repository;

/** Finds packages that ask for a second factor after the login. Until then, Laravel's guard accepts the password alone. */
final class SecondFactor
{
    /** The middleware of each package, also of earlier versions. */
    private const PACKAGES = [
        'pragmarx/google2fa-laravel' => ['PragmaRX\Google2FALaravel\Middleware'],
        'jeffgreco13/filament-breezy' => ['Jeffgreco13\FilamentBreezy\Middleware\MustTwoFactor'],
        'stephenjude/filament-two-factor-authentication' => [
            'Stephenjude\FilamentTwoFactorAuthentication\Middleware\TwoFactorChallenge',
            'Stephenjude\FilamentTwoFactorAuthentication\Middleware\ChallengeTwoFactor',
        ],
    ];

    public function __construct(private readonly Repository $config)
    {
    }

    /** Returns what to change so that tickets need the second factor. Null if the application chose their middleware. */
    public function fix(): ?string
    {
        $default = (require __DIR__ . '/../config/php-chat.php')['ticket_middleware'];
        if ((array) $this->config->get('php-chat.ticket_middleware') !== $default) {
            return null;
        }
        foreach (self::PACKAGES as $package => $middleware) {
            if (array_filter($middleware, class_exists(...)) !== []) {
                return "Add the middleware of $package to ticket_middleware in config/php-chat.php, because this package asks for the second factor after the login. If a password is enough, add auth.";
            }
        }
        return null;
    }
}
