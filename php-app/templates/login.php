<?php

declare(strict_types=1);

$title = $t('page.submit') . ' · ' . $t('site.name');
$class = 'login-page';
// Without an action, the browser keeps the fragment of the address, which may be a message link or an invite link.
$action = $isPage ? '' : ' action="/login"';
$state = ($wrong ? ' aria-invalid="true"' : '') . ($error === '' ? '' : ' aria-describedby="err"');
[$focusName, $focusPassword] = $name === '' ? [' autofocus', ''] : ['', ' autofocus'];
?>
<main class="login entrance">
<div class="card">
<?php require __DIR__ . '/mark.php' ?>
<h1><?= $t('page.title') ?></h1>
<p class="sub"><?= $t('site.name') ?></p>
<?php if ($error !== '') {
    require __DIR__ . '/alert.php';
} ?>
<form method="post"<?= $action ?>>
<input type="hidden" name="form" value="login">
<input type="hidden" name="csrf" value="<?= $e($csrf) ?>">
<label for="u"><?= $t('page.user') ?></label>
<input id="u" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required value="<?= $e($name) ?>"<?= $state, $focusName ?>>
<label for="p"><?= $t('page.password') ?></label>
<input id="p" name="password" type="password" autocomplete="current-password" required<?= $state, $focusPassword ?>>
<button type="submit"><?= $t('page.submit') ?></button>
</form>
<div class="demo"><b><?= $t('demo.heading') ?></b>
<ul>
<?php foreach ([1 => ['alice', 'admin'], ['bob', 'moderator'], ['carol', 'member']] as $id => [$account, $role]) : ?>
<li><img class="face" src="/avatars/<?= $id ?>.svg" alt="" width="40" height="40"><code><?= $account ?></code> <?= $t("role.$role") ?></li>
<?php endforeach ?>
</ul>
<p><?= $t('demo.passwords') ?></p></div>
</div>
<section class="pitch">
<img src="/pictures/garden.svg" alt="" width="560" height="360">
<h2><?= $t('login.heading') ?></h2>
<ul>
<?php foreach (['talk', 'message', 'order'] as $point) : ?>
<li><?= $t("login.$point") ?></li>
<?php endforeach ?>
</ul>
</section>
</main>
