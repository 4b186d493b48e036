'use strict';
// Runs on the caller's own Node, however old, before anything is installed: so plain ES5 and no packages.
// `node scripts/setup.cjs` installs what running needs, `node scripts/setup.cjs full` what testing needs too.
var fs = require('fs');
var path = require('path');
var spawnSync = require('child_process').spawnSync;

var full = process.argv[2] === 'full';
var root = path.resolve(__dirname, '..');
var windows = process.platform === 'win32';
var modules = path.join(root, 'node_modules');
var marker = path.join(modules, '.installed');

// The lock's content, not its time: git gives checked-out files whatever time it likes.
var lock = require('crypto').createHash('sha256').update(fs.readFileSync(path.join(root, 'package-lock.json'))).digest('hex');
var installed = '';
try { installed = fs.readFileSync(marker, 'utf8').trim(); } catch (error) { installed = ''; }

// Whoever has the tests' packages keeps them: starting the product must not take them away.
full = full || installed.indexOf('full ') === 0 || fs.existsSync(path.join(modules, 'vitest'));

if (installed !== 'full ' + lock && (full || installed !== 'run ' + lock)) {
  process.stdout.write('Installing what ' + (full ? 'the tests need' : 'Earshot needs to run') + ' (once; about half a minute) ...\n');
  var args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts'].concat(full ? [] : ['--omit=dev']);
  var npm = process.env.npm_execpath;
  var result = npm && /\.c?js$/.test(npm)
    ? spawnSync(process.execPath, [npm].concat(args), { cwd: root, stdio: 'inherit' })
    : spawnSync(windows ? 'npm.cmd' : 'npm', args, { cwd: root, stdio: 'inherit', shell: windows });
  if (result.status !== 0) {
    process.stderr.write('The installation failed: see the lines above.\n');
    process.exit(result.status || 1);
  }
  fs.writeFileSync(marker, (full ? 'full ' : 'run ') + lock + '\n');
}

var packaged = path.join(modules, 'node-' + (windows ? 'win' : process.platform) + '-' + process.arch, 'bin', windows ? 'node.exe' : 'node');
var link = path.join(modules, '.bin', 'node');
// Some npm 10 leave the package in place without its link in .bin.
if (!windows && fs.existsSync(packaged) && !fs.existsSync(link)) {
  fs.mkdirSync(path.dirname(link), { recursive: true });
  fs.symlinkSync(path.relative(path.dirname(link), packaged), link);
}
if (!fs.existsSync(packaged) && Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write('Earshot needs Node 24. None is packaged for ' + process.platform + '-' + process.arch + ', and yours is ' + process.version + ': install Node 24 and try again.\n');
  process.exit(1);
}
