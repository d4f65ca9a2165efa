<%-- The front end: who is where. --%>
<%@ page contentType="text/html; charset=UTF-8" trimDirectiveWhitespaces="true"
         import="java.net.URI, java.net.URLEncoder, java.net.http.*, java.nio.charset.StandardCharsets, java.time.Duration" %>
<%!
  final HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();

  String get(String url) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(20)).build();
    HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() != 200) throw new IllegalStateException(url + " answers " + answer.statusCode());
    return answer.body();
  }

  String text(String value) {
    return value.strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }
%>
<!DOCTYPE html>
<html lang="en">
<head><title>Staff tracker</title></head>
<body>
<h1>Staff tracker</h1>
<table>
<tr><th>Name</th><th>Room</th><th>Street</th><th>Zip code</th><th>City</th></tr>
<%
  for (String line : get("@staffService@").split("\n")) {
    String[] member = line.split("\t");
    if (member.length != 2) continue;
    String room = URLEncoder.encode(member[1], StandardCharsets.UTF_8);
    out.print("<tr><td>" + text(member[0]) + "</td><td>" + text(member[1]) + "</td>");
    for (String column : get("@locationService@?room=" + room).split("\t")) out.print("<td>" + text(column) + "</td>");
    out.println("</tr>");
  }
%>
</table>
</body>
</html>
