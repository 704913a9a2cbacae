<?php

declare(strict_types=1);

$title = $t('page.submit') . ' · ' . $t('site.name');
$class = 'login-page';
$state = ($wrong ? ' aria-invalid="true"' : '') . ($error === '' ? '' : ' aria-describedby="err"');
[$focusName, $focusPassword] = $name === '' ? [' autofocus', ''] : ['', ' autofocus'];
?>
<main class="login">
<div class="card">
<?php require __DIR__ . '/mark.php' ?>
<h1><?= $t('page.title') ?></h1>
<p class="sub"><?= $t('site.name') ?></p>
<?php if ($error !== '') {
    require __DIR__ . '/alert.php';
} ?>
<form method="post" action="/login">
<input type="hidden" name="csrf" value="<?= $e($csrf) ?>">
<label for="u"><?= $t('page.user') ?></label>
<input id="u" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required value="<?= $e($name) ?>"<?= $state, $focusName ?>>
<label for="p"><?= $t('page.password') ?></label>
<input id="p" name="password" type="password" autocomplete="current-password" required<?= $state, $focusPassword ?>>
<button type="submit"><?= $t('page.submit') ?></button>
</form>
<p class="demo"><b><?= $t('demo.heading') ?></b><span><code>alice</code>, <code>bob</code>, <code>carol</code><?= $t('demo.passwords') ?></span></p>
</div>
</main>
