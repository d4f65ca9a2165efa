package stafftracker

import (
	"fmt"
	"testing"
	"time"

	"github.com/disnix-go/disnix/test/lab"
)

// machine is a host with the servers that the example's infrastructure model
// tells of. Elsewhere, the operating system would start them.
type machine struct {
	*lab.Host
	t testing.TB
}

// password is that of the account with which the web applications read the
// databases. Only the servers know it.
const password = "delft-blue"

// daemon starts a program in the background. What it says goes to a file in
// /var/log.
func (m machine) daemon(name string, command ...string) {
	m.t.Helper()
	m.Run(m.t, append([]string{"sh", "-c", `log=/var/log/$1.log; shift; setsid "$@" < /dev/null > "$log" 2>&1 &`, "sh", name}, command...)...)
}

// await waits until a command succeeds.
func (m machine) await(command ...string) {
	m.t.Helper()
	var stderr string
	var err error
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, stderr, err = m.Try(m.t, command...); err == nil {
			return
		}
	}
	m.t.Fatalf("%s: %v: %v\n%s", m.Name(), command, err, stderr)
}

// mysql starts a server whose socket and port the model names. Root of the
// machine is its administrator.
func (m machine) mysql(instance string, port int) {
	m.t.Helper()
	data, run := "/srv/mysql-"+instance, "/run/mysqld-"+instance
	m.Run(m.t, "mkdir", "-p", run)
	m.Run(m.t, "mariadb-install-db", "--no-defaults", "--user=root", "--datadir="+data,
		"--auth-root-authentication-method=socket", "--skip-test-db")
	m.startMySQL(instance, port)
	m.sql(instance, "", "CREATE USER stafftracker@'%' IDENTIFIED BY '"+password+"'; GRANT SELECT ON *.* TO stafftracker@'%'")
}

// startMySQL starts a server that has its files.
func (m machine) startMySQL(instance string, port int) {
	m.t.Helper()
	run := "/run/mysqld-" + instance
	m.daemon("mysqld-"+instance, "mariadbd", "--no-defaults", "--user=root", "--datadir=/srv/mysql-"+instance, "--skip-name-resolve",
		"--socket="+run+"/mysqld.sock", "--pid-file="+run+"/mysqld.pid", fmt.Sprintf("--port=%d", port))
	m.await("mariadb", "--no-defaults", "--socket="+run+"/mysqld.sock", "-e", "SELECT 1")
}

// killMySQL ends a server as a crash does.
func (m machine) killMySQL(instance string) {
	m.t.Helper()
	m.Run(m.t, "sh", "-ec", `pid=$(cat "$1/mysqld.pid"); kill -KILL "$pid"; while kill -0 "$pid" 2> /dev/null; do sleep 0.02; done`,
		"sh", "/run/mysqld-"+instance)
}

// killSupervisord ends one as a crash does.
func (m machine) killSupervisord(instance string) {
	m.t.Helper()
	m.Run(m.t, "sh", "-ec", `kill -KILL "$(cat "$1/supervisord.pid")"`, "sh", "/run/supervisor-"+instance)
}

// program puts a shell script in front of a program of the machine.
func (m machine) program(name, script string) {
	m.t.Helper()
	m.WriteFile(m.t, "/usr/local/bin/"+name, "#!/bin/sh\n"+script+"\n", 0o755)
}

func (m machine) removeProgram(name string) {
	m.t.Helper()
	m.Run(m.t, "rm", "/usr/local/bin/"+name)
}

// sql runs statements as the administrator of a server.
func (m machine) sql(instance, database, statements string) string {
	m.t.Helper()
	return m.Run(m.t, "mariadb", "--no-defaults", "--socket=/run/mysqld-"+instance+"/mysqld.sock", "-N", "-e", statements, database)
}

// tomcat starts a server in the directory and at the port that the model names.
// It can run pages and knows MariaDB.
func (m machine) tomcat(instance string, port int) {
	m.t.Helper()
	base := "/srv/tomcat-" + instance
	m.Run(m.t, "sh", "-c", `mkdir -p "$1/conf" "$1/lib" "$1/logs" "$1/temp" "$1/webapps" "$1/work"
		ln -s /usr/share/java/mariadb-java-client.jar /usr/share/java/eclipse-jdt-core.jar "$1/lib"`, "sh", base)
	m.WriteFile(m.t, base+"/conf/server.xml", fmt.Sprintf(serverXML, port), 0o644)
	m.WriteFile(m.t, base+"/conf/web.xml", webXML, 0o644)
	m.WriteFile(m.t, base+"/conf/context.xml",
		`<Context><JarScanner scanClassPath="false" scanBootstrapClassPath="false"/></Context>`, 0o644)
	m.WriteFile(m.t, base+"/conf/catalina.properties", `common.loader="${catalina.base}/lib/*.jar","${catalina.home}/lib/*.jar"
stafftracker.password=`+password+"\n", 0o600)
	m.WriteFile(m.t, base+"/conf/logging.properties", `handlers = java.util.logging.ConsoleHandler, org.apache.juli.AsyncFileHandler
org.apache.juli.AsyncFileHandler.directory = ${catalina.base}/logs
org.apache.juli.AsyncFileHandler.prefix = catalina.
`, 0o644)
	m.daemon("tomcat-"+instance, "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx160m",
		"-Djava.util.logging.manager=org.apache.juli.ClassLoaderLogManager",
		"-Djava.util.logging.config.file="+base+"/conf/logging.properties",
		"-Dcatalina.home=/usr/share/tomcat10", "-Dcatalina.base="+base, "-Djava.io.tmpdir="+base+"/temp",
		"-cp", "/usr/share/tomcat10/bin/bootstrap.jar:/usr/share/tomcat10/bin/tomcat-juli.jar",
		"org.apache.catalina.startup.Bootstrap", "start")
}

const serverXML = `<Server port="-1"><Service name="Catalina">
  <Connector port="%d" protocol="HTTP/1.1"/>
  <Engine name="Catalina" defaultHost="localhost" backgroundProcessorDelay="1">
    <Host name="localhost" appBase="webapps" unpackWARs="true" autoDeploy="true"/>
  </Engine>
</Service></Server>
`

const webXML = `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
  <servlet><servlet-name>default</servlet-name><servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class></servlet>
  <servlet><servlet-name>jsp</servlet-name><servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class>
    <init-param><param-name>compilerSourceVM</param-name><param-value>17</param-value></init-param>
    <init-param><param-name>compilerTargetVM</param-name><param-value>17</param-value></init-param>
  </servlet>
  <servlet-mapping><servlet-name>default</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
  <servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>
  <welcome-file-list><welcome-file>index.jsp</welcome-file></welcome-file-list>
</web-app>
`

// awaitTomcat waits until a server that was started answers.
func (m machine) awaitTomcat(port int) {
	m.t.Helper()
	m.await("curl", "--silent", "--show-error", "--output", "/dev/null", fmt.Sprintf("http://localhost:%d/", port))
}

// supervisord starts one with the configuration that the model names.
func (m machine) supervisord(instance string) {
	m.t.Helper()
	dir, run := "/etc/supervisor-"+instance, "/run/supervisor-"+instance
	m.Run(m.t, "mkdir", "-p", dir+"/conf.d", run)
	m.WriteFile(m.t, dir+"/supervisord.conf", fmt.Sprintf(`[supervisord]
directory=%[2]s
logfile=%[2]s/supervisord.log
pidfile=%[2]s/supervisord.pid
childlogdir=%[2]s
[unix_http_server]
file=%[2]s/socket
chmod=0700
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%[2]s/socket
[include]
files=%[1]s/conf.d/*.conf
`, dir, run), 0o644)
	m.daemon("supervisord-"+instance, "supervisord", "--nodaemon", "--configuration", dir+"/supervisord.conf")
	m.await("supervisorctl", "--configuration", dir+"/supervisord.conf", "pid")
}
